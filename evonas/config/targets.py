"""The section of a target: a device, how a network runs on it, and how it is measured."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from evonas.config.section import Section

LONGEST_TIMEOUT_S = 7 * 86400.0
"""A week: longest wait for a measuring server that can be asked for."""


QUANTISING = ("onnxruntime", "executorch", "litert")
"""Backends with a quantiser of their own for `dtype: int8`."""


class TargetConfig(Section):
    """A device that a network runs on, how it runs there, and how it is measured."""

    backend: Literal["torch", "torch.compile", "onnxruntime", "openvino", "executorch", "litert"] = Field(
        default="torch", description="what runs the network"
    )
    device: str = Field(
        default="cpu",
        pattern=r"^(cpu|cuda(:\d+)?|gpu(\.\d+)?|npu)$",
        description="cpu, cuda, cuda:1; of openvino also gpu, gpu.1, npu",
    )
    dtype: Literal["float32", "float16", "bfloat16", "int8"] = Field(
        default="float32",
        description="type of weights and inputs while it is measured; int8: quantised by the runtime's own quantiser, "
        "with onnxruntime, executorch and litert. What that costs in quality is a metric of the task with this target, "
        "e.g. error[T]",
    )
    includes: Literal["prepare", "network"] = Field(
        default="prepare",
        description="what is measured. prepare: what is shipped, the network with the task's `prepare` before it; "
        "network: the network alone",
    )
    threads: int = Field(default=1, ge=1, description="CPU threads of one forward pass, with a core each")
    batch: int = Field(default=1, ge=1, description="examples in one forward pass")
    graph: bool | None = Field(
        default=None,
        validate_default=True,
        description="replay a CUDA graph: the kernels' time without that of launching them; default: for backend torch "
        "on cuda. A network that cannot be captured runs eager, and its row says why",
    )
    within: float = Field(
        default=0.02, gt=0, lt=1, description="sampled until the 95 % interval of the median is within this share of it"
    )
    max_seconds: float = Field(default=4.0, gt=0, description="time cap of one measurement, warm-up included")
    screen: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="share of `max_seconds` that a first measurement may take; one that has not settled by then goes "
        "on where a limit or a rung depends on it, and the front is measured to the end when the search ends. 1: each "
        "is measured to the end at once",
    )
    max_remeasurements: int = Field(
        default=3,
        ge=0,
        description="times that a candidate is measured beside members of the front it cannot be told from",
    )
    quiet: bool = Field(default=True, description="training on the machine pauses while a network is measured")
    address: str | None = Field(
        default=None, pattern=r"^https?://[^/\s]+$", description="http://HOST:PORT of `evonas measure-server`"
    )
    token_env: str = Field(
        default="EVONAS_TOKEN", description="environment variable with the token of the server at the address"
    )
    timeout_s: float = Field(
        default=60.0, gt=0, le=LONGEST_TIMEOUT_S, description="longest wait for the server at the address"
    )
    resource: str | None = Field(
        default=None,
        pattern=r"^\w+$",
        description="measure on nodes of the Ray cluster with this custom resource, in turn if several have it",
    )
    any_device: bool = Field(
        default=False,
        description="unlike devices may be measured for one column; else the first measurement of a run fixes the "
        "model, and of a GPU the versions of torch, CUDA and driver",
    )

    @field_validator("backend", mode="before")
    @classmethod
    def _no_place(cls, backend: object) -> object:
        if backend == "remote":
            raise ValueError(
                "a backend says what runs the network, e.g. onnxruntime; where it runs, address or resource"
            )
        return backend

    @field_validator("graph", mode="before")
    @classmethod
    def _graph(cls, graph: object, info: ValidationInfo) -> object:
        """Resolve the default, so that configs that describe the same search are alike. Eager passes of a small network
        on a GPU are the time of Python, and another time where the network came as a file."""
        if graph is not None:
            return graph
        return info.data.get("backend") == "torch" and str(info.data.get("device")).startswith("cuda")

    @model_validator(mode="after")
    def _one_place(self) -> "TargetConfig":
        if self.address and self.resource:
            raise ValueError("a target is at an address or at a resource of the cluster, not both")
        if self.remote and self.max_seconds >= self.timeout_s:
            raise ValueError(f"max_seconds must be below timeout_s, which is {self.timeout_s:g}")
        if self.dtype == "int8" and self.backend not in QUANTISING:
            raise ValueError(f"dtype int8 is for backends {', '.join(QUANTISING)}, not for {self.backend}")
        if self.dtype in ("float16", "bfloat16") and self.backend in ("executorch", "litert"):
            raise ValueError(f"{self.backend} takes dtype float32 or int8, not {self.dtype}")
        if self.graph and not (self.device.startswith("cuda") and self.backend == "torch"):
            raise ValueError("graph is for backend torch on cuda")
        return self

    @property
    def left_out(self) -> set[str]:
        """Keys that shape no search: those of places, and those that say what configs meant before they existed."""
        return ENDPOINT_KEYS | {key for key, value in BEFORE.items() if getattr(self, key) == value}

    @property
    def remote(self) -> bool:
        """Whether it is measured on another machine than the one that trains."""
        return bool(self.address or self.resource)


BEFORE: Mapping[str, Any] = {"includes": "network", "screen": 1.0}
"""Keys that were not there once -> the value that means what configs meant then."""
ENDPOINT_KEYS = {"address", "token_env", "timeout_s", "resource", "any_device"}
"""Keys of a target that may change from one start of a search to the next: a board may get another address, or another
board its place."""
