"""A GPU that torch does not find: which of the many reasons it is."""

from collections.abc import Callable

import pytest
import torch

from evonas.errors import UserError
from evonas.measuring.backends import devices
from evonas.measuring.backends.pytorch import available

OLD = "The NVIDIA driver on your system is too old (found version 12020). Please update your GPU driver.\nMore of it"


def told(monkeypatch: pytest.MonkeyPatch, cuda: str | None, driver: str, init: Callable[[], None]) -> str:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    monkeypatch.setattr(devices, "driver", lambda: {"driver": driver} if driver else {})
    with pytest.raises(UserError) as caught:
        available("cuda", "runtime")
    return str(caught.value)


def raises(text: str) -> Callable[[], None]:
    def init() -> None:
        raise RuntimeError(text)

    return init


def test_a_build_for_cpus_is_named_and_what_would_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    text = told(monkeypatch, None, "580.65", raises("not asked"))
    assert "only cpu: this torch (" in text
    assert "is a build for CPUs; install one for CUDA" in text


@pytest.mark.parametrize("said", [OLD, "CUDA error: MPS server is not ready to accept new MPS client requests"])
def test_else_it_is_what_cuda_says_with_the_versions_that_must_fit(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    text = told(monkeypatch, "13.0", "535.104", raises(said))
    assert f"only cpu: RuntimeError: {said.splitlines()[0]}; this torch (" in text
    assert text.endswith("is built for CUDA 13.0, NVIDIA's driver is 535.104")


def test_a_driver_that_is_not_there_and_a_gpu_that_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "NVIDIA's driver is not loaded" in told(monkeypatch, "13.0", "", raises("Found no NVIDIA driver"))
    assert "CUDA starts and shows no GPU" in told(monkeypatch, "13.0", "580.65", lambda: None)
