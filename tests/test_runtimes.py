"""How a runtime is made, with the arguments that it takes."""

import re
from typing import Any

import pytest

from evonas.config import RuntimeConfig
from evonas.errors import UserError
from evonas.runtime import RUNTIMES, Serial, at_any_cost, make_runtime
from evonas.runtime.runtime import NO_REMOTES


def _make(runtime: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(RUNTIMES, "serial", runtime)
    return make_runtime(list, RuntimeConfig(kind="serial"), [], NO_REMOTES, at_any_cost)


def test_a_runtime_of_ones_own_gets_the_arguments_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of before there was `on_wait` are made as they were; what they raise is theirs."""
    assert isinstance(_make(Serial, monkeypatch), Serial)
    assert len(_make(lambda *arguments: arguments, monkeypatch)) == 5
    assert len(_make(lambda factory, config, modules, remotes: (factory, config, modules, remotes), monkeypatch)) == 4

    def broken(factory: Any, config: Any, modules: Any, remotes: Any, on_wait: Any) -> Any:
        return len(factory, config)

    with pytest.raises(TypeError, match="exactly one argument"):
        _make(broken, monkeypatch)
    with pytest.raises(UserError, match=re.escape("serial takes (factory), and a runtime is made with factory, conf")):
        _make(lambda factory: factory, monkeypatch)
