"""In how many bits products of float32 are computed: in TF32 or bfloat16 they are several times as fast, and others.

torch has two interfaces for it. The older one raises where the newer one, of torch 2.9, has set what it cannot say.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

OF_ALL = ("", "cudnn", "mkldnn")
"""Parts of `torch.backends` whose setting is that of parts below them."""
OF_OPERATORS = ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")
OF_DEVICES = {"cuda": ("cuda.matmul", "cudnn.conv", "cudnn.rnn"), "cpu": ("mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn")}
OLD = {"highest": "ieee", "high": "tf32", "medium": "bf16"}
PLAIN = "ieee"
State = tuple[str | None, bool | None, Mapping[str, str]]
"""Of the older interface products of matrices and convolutions, then each part by the newer one."""


def conditions(torch: Any, device: str) -> dict[str, str]:
    """What a number that was computed in float32 depends on.

    Args:
        torch: the module.
        device: "cuda" or "cpu".

    Returns:
        `float32`: of each kind of operator `ieee`, `tf32` or `bf16`. Of a processor it is left out where all is
        `ieee`, which is what rows are that do not say.
    """
    own = [f"{part.partition('.')[2]} {_of_operator(torch, part)}" for part in OF_DEVICES[device]]
    plain = all(text.endswith(PLAIN) for text in own)
    return {} if plain and device == "cpu" else {"float32": ", ".join(own)}


def of_training(row: Mapping[str, str]) -> dict[str, str]:
    """How a network was trained by the conditions of its row: "cuda" or "cpu" -> what `conditions` has of it. Rows of a
    GPU from before that was recorded tell nothing."""
    device = "cuda" if "cuda" in row else "cpu"
    known = row.get("float32", PLAIN if device == "cpu" else "")
    return {device: known} if known else {}


def of_run(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """The same by the first rows of a run that tell of either kind of device."""
    found: dict[str, str] = {}
    for row in rows:
        found = of_training(row) | found
    return found


def forbidden() -> bool:
    """Whether the environment takes TF32 from NVIDIA's libraries, whatever a program says."""
    return os.environ.get("NVIDIA_TF32_OVERRIDE") == "0"


def state(torch: Any) -> State:
    """All settings as they are, for `put_back`."""
    matmul = cudnn = None
    with suppress(RuntimeError):
        matmul = torch.get_float32_matmul_precision()
    with suppress(RuntimeError):
        cudnn = torch.backends.cudnn.allow_tf32
    return matmul, cudnn, {part: _part(torch, part).fp32_precision for part in _parts(torch)}


def put_back(torch: Any, before: State) -> None:
    """Set all as it was."""
    matmul, cudnn, parts = before
    if matmul is not None:
        torch.set_float32_matmul_precision(matmul)
    if cudnn is not None:
        torch.backends.cudnn.allow_tf32 = cudnn
    for part, precision in parts.items():
        _part(torch, part).fp32_precision = precision


def _of_operator(torch: Any, part: str) -> str:
    of_gpus = part in OF_DEVICES["cuda"]
    if of_gpus and forbidden():
        return PLAIN
    found = str(_part(torch, part).fp32_precision) if part in _parts(torch) else _as_before(torch, part)
    return PLAIN if found == "none" else found


def _as_before(torch: Any, part: str) -> str:
    """By the older interface, of torch before 2.9."""
    if part in OF_DEVICES["cpu"]:
        return OLD[torch.get_float32_matmul_precision()] if part == "mkldnn.matmul" else PLAIN
    owner = torch.backends.cuda.matmul if part == "cuda.matmul" else torch.backends.cudnn
    return "tf32" if owner.allow_tf32 else PLAIN


def _parts(torch: Any) -> tuple[str, ...]:
    """Those that this torch has, those first whose setting goes for others."""
    return (*OF_ALL, *OF_OPERATORS) if hasattr(torch.backends.cuda.matmul, "fp32_precision") else ()


def _part(torch: Any, name: str) -> Any:
    found = torch.backends
    for part in filter(None, name.split(".")):
        found = getattr(found, part)
    return found
