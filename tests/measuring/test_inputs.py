"""Networks that take in tokens, or several tensors by name, on every way that a network is measured."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

from evonas.config import TargetConfig
from evonas.inputs import called, example, from_plain, in_dtype, in_words, mapped, to_plain
from evonas.measuring.backends import aten_graph
from evonas.measuring.backends.export import TOLERANCE, ExportError, check, file_size, to_file
from evonas.measuring.benchmark import Baseline, LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.reference import reference
from evonas.records import DTYPES, Inputs, InputSpec
from tests.measuring.small import COMMON, INPUT, OTHERS, WORDS, other
from tests.measuring.test_backends import backend, eager

NAMES = pytest.mark.parametrize("name", OTHERS)
KINDS = pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if kind == "torch.compile" else ()) for kind in COMMON]
)
"""Compiling takes a quarter of a minute; a network of pictures is compiled in test_backends.py."""


@KINDS
@NAMES
def test_each_backend_runs_it_and_gives_all_that_it_gives(kind: str, name: str) -> None:
    network, inputs = other(name)
    target = TargetConfig(backend=kind, batch=3)  # type: ignore[arg-type]
    loaded = backend(kind, batch=3).load(network, inputs)
    expected = eager(network, target, inputs)
    assert expected.shape[:2] == (3, 6)
    np.testing.assert_allclose(loaded.output(), expected, atol=1e-5)
    assert min(loaded.passes(2)) > 0
    assert loaded.memory_mb() > 0
    file = to_file(network, inputs, target)
    np.testing.assert_allclose(backend(kind, batch=3).load(file, inputs).output(), expected, atol=1e-5)
    assert file_size(network, inputs, target) >= sum(weight.nbytes for weight in network.parameters())
    check(network, inputs, target, expected.tolist())


@KINDS
@NAMES
def test_one_wrong_number_of_the_output_is_seen(kind: str, name: str) -> None:
    network, inputs = other(name)
    target = TargetConfig(backend=kind, batch=3)  # type: ignore[arg-type]
    output = eager(network, target, inputs)
    output[2, 5, 1] += 0.1 * np.abs(output).max()
    with pytest.raises(ExportError, match="output differs"):
        check(network, inputs, target, output)
    with pytest.raises(ExportError, match=r"instead of \(3, 6, "):
        check(network, inputs, target, output[:, 0])


@NAMES
@pytest.mark.parametrize(("kind", "dtype"), [("torch", "bfloat16"), ("torch", "float16"), ("onnxruntime", "float16")])
def test_another_precision_leaves_whole_numbers_alone(name: str, kind: str, dtype: str) -> None:
    """Index 2049 is not a float16, nor 257 a bfloat16."""
    network, inputs = other(name)
    table = nn.Embedding(5000, network.token.embedding_dim)  # type: ignore[union-attr]
    network.token = table
    high = InputSpec((6,), "int64", high=5000)
    inputs = high if isinstance(inputs, InputSpec) else {**inputs, "tokens": high}
    output = backend(kind, dtype=dtype, batch=8).load(network, inputs).output()
    expected = eager(network, TargetConfig(batch=8), inputs)
    off = np.abs(output - expected).max() / np.abs(expected).max()
    assert 0 < off < TOLERANCE[dtype]


@NAMES
def test_a_network_is_measured_in_turns_with_another(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evonas.measuring.benchmark.UNBEATEN_S", 0.0)
    network, inputs = other(name)
    config = TargetConfig(max_seconds=0.2)
    bench = LatencyBenchmark("pi", config, reference(), DeviceLock([], enabled=False), ("memory_mb",))
    assert (bench.measure(network, inputs).memory_mb or 0) > 0
    beside = bench.measure(network, inputs, Baseline(network, 1000.0))
    assert beside.ms > 100


@NAMES
def test_a_list_of_operators_is_called_as_the_network_is(name: str) -> None:
    network, inputs = other(name)
    again = aten_graph.from_bytes(to_file(network, inputs, TargetConfig(batch=2)), torch.device("cpu"))
    x = mapped(torch.from_numpy, example(inputs, 2, seed=5))
    with torch.inference_mode():
        assert torch.allclose(called(again, x), called(network.eval(), x), atol=1e-6)


@pytest.mark.parametrize("named", ["if", "x y", "x=print()", "", 3])
def test_an_input_of_a_file_has_the_name_of_an_argument(named: object) -> None:
    steps = [["input", named], ["output", {"step": 0}]]
    with pytest.raises(ValueError, match="not a network as evonas sends it: no step"):
        aten_graph.from_bytes(save({"w0": torch.ones(1)}, {"steps": json.dumps(steps)}), torch.device("cpu"))


@pytest.mark.parametrize(
    "call",
    [
        ["empty.memory_format", [[4000]], {}],
        ["empty_like.default", [{"step": 0}], {}],
        ["new_empty.default", [{"step": 0}, [4000]], {}],
        ["empty_strided.default", [[4000], [1]], {}],
    ],
)
def test_a_file_reads_no_memory_that_it_has_not_written(call: list[object]) -> None:
    steps = [["input", "x"], ["call", *call], ["output", {"step": 1}]]
    data = save({"w0": torch.ones(1)}, {"steps": json.dumps(steps)})
    network = aten_graph.from_bytes(data, torch.device("cpu"))
    for _ in range(20):
        torch.full((4000,), 7.0)  # its memory is the next to be given out
        assert not network(torch.ones(4000)).any()


@pytest.mark.parametrize("name", ["resize_.default", "set_.source_Storage", "resize.default"])
def test_nor_does_it_grow_a_tensor(name: str) -> None:
    steps = [["input", "x"], ["call", name, [{"step": 0}, [4000]], {}], ["output", {"step": 1}]]
    with pytest.raises(ValueError, match="is not one that a server runs for others"):
        aten_graph.from_bytes(save({"w0": torch.ones(1)}, {"steps": json.dumps(steps)}), torch.device("cpu"))


def test_made_up_whole_numbers_take_all_their_values_and_no_others() -> None:
    drawn = example(InputSpec((50,), "int32", high=7), 20)
    assert isinstance(drawn, np.ndarray)
    assert (drawn.shape, drawn.dtype, set(drawn.flat)) == ((20, 50), np.int32, set(range(7)))
    assert set(np.asarray(example(InputSpec((50,), "bool"), 2)).flat) == {False, True}


def test_the_inputs_of_a_mapping_differ_and_stay_the_same() -> None:
    inputs = {"a": INPUT, "b": INPUT}
    first, again = example(inputs, 2), example(inputs, 2)
    assert isinstance(first, dict)
    assert isinstance(again, dict)
    assert all((first[name] == again[name]).all() for name in inputs)
    assert not (first["a"] == first["b"]).all()
    assert not (np.asarray(example(INPUT, 2)) == np.asarray(example(INPUT, 2, seed=1))).any()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_a_cast_is_for_numbers_that_are_not_whole(dtype: str) -> None:
    found = [in_dtype(np.ones(2, own), dtype).dtype.name for own in DTYPES]
    assert found == [dtype] * 3 + list(DTYPES[3:])


SPECS: dict[str, Inputs] = {"image": INPUT, "tokens": WORDS, "both": {"image": INPUT, "tokens": WORDS}}


@pytest.mark.parametrize("name", SPECS)
def test_inputs_go_through_json(name: str) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(SPECS[name])))) == SPECS[name]


def test_inputs_in_words() -> None:
    assert in_words(SPECS["both"]) == "image: 3 x 8 x 8, tokens: 6 of int64 below 11"


@pytest.mark.parametrize(
    ("shape", "dtype", "high", "message"),
    [
        ((3, 0), "float32", None, r"lengths of a shape are 1 or more, not \(3, 0\)"),
        ((3,), "flaot32", None, "is of float32, .*, not of flaot32"),
        ((3,), "int64", None, "an input of int64 needs `high`"),
        ((3,), "int8", 200, "needs `high`, the number of values that it can have: 1 to 128"),
        ((3,), "uint8", 0, "1 to 256"),
        ((3,), "float32", 5, "`high` is for whole numbers, not for float32"),
    ],
)
def test_an_input_that_cannot_be(shape: tuple[int, ...], dtype: str, high: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InputSpec(shape, dtype, high)
    assert InputSpec((3,), "uint8", 256).high == 256


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"x": [3]},
        {"two words": to_plain(INPUT)},
        {"if": to_plain(INPUT)},
        {"shape": [3]},
        {"shape": [3.0], "dtype": "float32", "high": None},
        {"shape": [True], "dtype": "float32", "high": None},
        {"shape": [3], "dtype": "int8", "high": True},
        {"shape": [3], "dtype": 32, "high": None},
        {"shape": [3], "dtype": "float32", "high": None, "low": 3},
        {"x": {"x": to_plain(INPUT)}},
    ],
)
def test_what_describes_no_inputs(plain: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="input"):
        from_plain(plain)


def test_tokens_are_never_negative_where_a_network_is_measured() -> None:
    seen: list[tuple[int, int]] = []

    class Look(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append((int(x.min()), int(x.max())))
            return x.float()

    backend("torch", batch=64).load(Look(), WORDS).passes(1)
    assert seen == [(0, 10)]


def test_what_a_network_needs_is_said_where_it_is_not_given() -> None:
    with pytest.raises(TypeError, match="tokens"):
        backend("torch").load(other("several")[0], INPUT).output()
