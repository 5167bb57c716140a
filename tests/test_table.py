import dataclasses
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from evonas.config import Config, PartConfig, TargetConfig
from evonas.config.messages import validated
from evonas.config.options import construct
from evonas.errors import UserError
from evonas.evaluation.untrained.costs import multiply_accumulates, parameters
from evonas.latency_tables import build
from evonas.latency_tables import table as tables
from evonas.latency_tables.blocks import OVERHEAD, MissingBlock, blocks, estimate
from evonas.latency_tables.build import fit_scale, make
from evonas.latency_tables.operations import Replay
from evonas.latency_tables.table import Table, check_compatible, check_free, read, write
from evonas.measuring.benchmark import LatencyBenchmark
from evonas.measuring.device_lock import DeviceLock
from evonas.measuring.reference import reference
from evonas.records import Inputs, InputSpec, Measurement, TaskSpec
from evonas.spaces import SPACES, Arch, Choice, Integer
from evonas.spaces.space import Space
from evonas.tasks.digits import digits
from evonas.tasks.shipped import Shipped, preparation
from tests import tokens

SPEC = TaskSpec("digits", InputSpec((1, 8, 8)), (10,))
SMALL = {
    "kind": "mobile",
    "stages": 1,
    "stem": 8,
    "strides": 1,
    "widths": [8, 32],
    "depths": [1, 6],
    "blocks": ["residual"],
    "squeeze": [False],
    "activations": ["relu"],
}
"""4 networks, from 1 block of 8 channels to 6 of 32."""


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def config(space: dict[str, object] = SMALL, **target: object) -> Config:
    sections = {
        "space": space,
        "task": {"kind": "digits"},
        "objectives": [{"metric": "error"}],
        "targets": {"board": {"includes": "network", **target}, "other": {}},
        "budget": {"evaluations": 1},
    }
    return validated(Config, sections, "config")


def space_of(own: Config) -> Space:
    return construct(SPACES, own.space, "space")


def clockwork(network: nn.Module, inputs: Inputs) -> Measurement:
    """A device without noise, on which a network takes a pass of 1 ms and its work, of which nothing overlaps."""
    ms = 1 + multiply_accumulates(network, inputs) / 1e3 + parameters(network) / 1e4
    steady = {"device": "clockwork", "temperature": f"{ms}"}
    return Measurement(ms, 0.9 * ms, 1.1 * ms, 1.2 * ms, ms, 1.0, 0.0, (ms,) * 7, True, conditions=steady)


def silent(line: str) -> None: ...


@cache
def board() -> Table:
    return made()


def made(own: Config | None = None, measure: build.Measure = clockwork) -> Table:
    own = own or config()
    return make(own, "board", space_of(own), SPEC, measure, say=silent)


def networks(space: Space) -> list[nn.Module]:
    return [space.build(space.decode(genome), SPEC) for genome in space.genomes()]


def test_a_device_that_adds_up_is_told_exactly() -> None:
    own = config()
    table = made(own)
    assert table.scale == 1
    assert table.check.error < 1e-12
    assert table.check.kendall_tau == pytest.approx(1)
    for network in networks(space_of(own)):
        told = estimate(network, SPEC.input, table.entries)
        assert told == pytest.approx(clockwork(network, SPEC.input).ms, rel=1e-12)


def test_each_block_is_measured_once_with_the_batch_of_the_target() -> None:
    measured: list[tuple[nn.Module, Inputs]] = []

    def noting(network: nn.Module, inputs: Inputs) -> Measurement:
        measured.append((network, inputs))
        assert isinstance(inputs, InputSpec)
        assert network(torch.zeros(7, *inputs.shape)).shape[0] == 7
        if isinstance(network, Replay):
            assert all(tensor.shape[0] == 7 for tensor in network.buffers())
        return clockwork(network, inputs)

    space = {"kind": "cell", "nodes": 3, "ops": ["none", "skip", "conv3x3", "avgpool3x3"], "stages": 2, "channels": 4}
    own = config(space, batch=7)
    table = made(own, noting)
    used = [block for network in networks(space_of(own)) for block in blocks(network, SPEC.input)]
    assert {row.key for row in table.rows} == {block.key for block in used}
    assert sum(row.times_seen for row in table.rows) == len(used)
    shapes = {block.input for block in used}
    assert len(measured) == len(table.rows) + len(shapes) + len(table.check.networks)


def test_a_large_space_is_sampled_until_nothing_new_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = board()
    monkeypatch.setattr(build, "ENUMERATED", 0)
    monkeypatch.setattr(build, "PATIENCE", 40)
    sampled = made()
    assert {row.key for row in sampled.rows} == {row.key for row in whole.rows}
    monkeypatch.setattr(build, "MOST_SAMPLES", 1)
    assert len(made().rows) < len(whole.rows)


def test_networks_that_cannot_be_built_are_left_out() -> None:
    class Half(Space):
        tree = space_of(config()).tree

        def build(self, arch, task):
            if arch.stage_0.width == 32:
                raise ValueError("too wide")
            return space_of(config()).build(arch, task)

        def signature(self) -> str:
            return "Half"

    class Nothing(Half):
        def build(self, arch, task):
            raise ValueError("too wide")

    own = config()
    table = make(own, "board", Half(), SPEC, clockwork, say=silent)
    assert 0 < len(table.rows) < len(board().rows)
    assert len(table.check.networks) == 2
    with pytest.raises(UserError, match="no network of the space can be built: ValueError: too wide"):
        make(own, "board", Nothing(), SPEC, clockwork, say=silent)


def test_layers_that_are_sized_when_they_first_run() -> None:
    class Lazy(Space):
        width = Choice(4, 8)

        def build(self, arch, task):
            return nn.Sequential(nn.Flatten(), nn.LazyLinear(arch.width), nn.ReLU(), nn.LazyLinear(task.outputs))

    table = make(config(), "board", Lazy(), SPEC, clockwork, say=silent)
    starts = [row.key.partition(",bias")[0] for row in table.rows]
    sizes = ["64,out_features=4", "4,out_features=10", "64,out_features=8", "8,out_features=10"]
    assert starts == [
        "Flatten(start_dim=1,end_dim=-1) @1x8x8 #" + starts[0][-12:],
        *(f"Linear(in_features={s}" for s in sizes),
    ]


def test_what_cannot_be_measured_is_left_out() -> None:
    def narrow(network: nn.Module, inputs: Inputs) -> Measurement:
        if 32 in [tensor.shape[0] for tensor in network.parameters()]:
            raise RuntimeError("too wide")
        if len(list(network.modules())) > 70:
            raise RuntimeError("too deep")
        return clockwork(network, inputs)

    lines: list[str] = []
    own = config()
    table = make(own, "board", space_of(own), SPEC, narrow, say=lines.append)
    assert {row.key for row in table.rows} < {row.key for row in board().rows}
    assert len(table.check.networks) == 1
    assert sum(line.startswith("left out: block") and "too wide" in line for line in lines) == 2
    assert sum(line.startswith("left out: network") and "too deep" in line for line in lines) == 1
    assert sum(line.startswith("left out: network") and "lacks the block" in line for line in lines) == 2


def test_a_network_that_is_another_one_at_another_batch_is_left_out() -> None:
    class Batched(nn.Sequential):
        def forward(self, x):
            return self[1](self[0](x.flatten(1)).relu() if len(x) > 1 else x.flatten(1)[:, :10])

    class Odd(Space):
        width = Choice(10, 11)

        def build(self, arch, task):
            plain = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
            return plain if arch.width == 10 else Batched(nn.Linear(64, 10), nn.Tanh())

    lines: list[str] = []
    table = make(config(batch=2), "board", Odd(), SPEC, clockwork, say=lines.append)
    assert [row.key.split("(")[0] for row in table.rows] == ["Flatten", "Linear"]
    assert sum("its network runs 3 blocks at batch 1, 4 at batch 2" in line for line in lines) == 3


def test_what_cannot_be_tabulated(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(network: nn.Module, inputs: Inputs) -> Measurement:
        raise RuntimeError("no kernel\nfor this")

    with pytest.raises(UserError, match=r"^no block can be measured on board: RuntimeError: no kernel$"):
        made(measure=failing)

    def full(network: nn.Module, inputs: Inputs) -> Measurement:
        if isinstance(network, build.Empty):
            raise RuntimeError("no input")
        return clockwork(network, inputs)

    with pytest.raises(UserError, match=r"^an empty network cannot be measured on board: RuntimeError: no input"):
        made(measure=full)
    with pytest.raises(UserError, match="did you mean 'board'"):
        make(config(), "bord", space_of(config()), SPEC, clockwork, say=silent)
    monkeypatch.setattr(build, "MOST_BLOCKS", 3)
    with pytest.raises(UserError, match="more than 3 different blocks, such as "):
        made()


def test_conditions_are_those_that_all_had_alike() -> None:
    assert board().conditions == {"device": "clockwork"}


def test_a_scale_is_fitted_to_half_and_judged_on_the_others() -> None:
    told = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    scale, check = fit_scale([(ms, 1.5 * ms) for ms in told])
    assert scale == 1.5
    assert (check.error, check.bias) == (0, 0)
    assert check.unscaled_error == pytest.approx(1 / 3)
    assert check.unscaled_bias == pytest.approx(-1 / 3)
    assert check.kendall_tau == pytest.approx(1)
    # fitted to the ratios 2, 2; judged by 1.6: 2 / 1.6 - 1 = 0.25, unscaled 1 / 1.6 - 1 = -0.375
    scale, check = fit_scale([(1.0, 2.0), (1.0, 1.6), (2.0, 4.0), (2.0, 3.2)])
    assert scale == 2
    assert (check.error, check.bias) == pytest.approx((0.25, 0.25))
    assert (check.unscaled_error, check.unscaled_bias) == pytest.approx((0.375, -0.375))


def test_no_scale_from_few_networks_or_where_it_does_harm() -> None:
    assert fit_scale([(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)])[0] == 1
    scale, check = fit_scale([(1.0, 2.0), (1.0, 1.0), (2.0, 4.0), (2.0, 2.0)])
    assert (scale, check.error) == (1, 0)
    assert fit_scale([])[1].kendall_tau is None
    assert fit_scale([(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)])[1].kendall_tau == pytest.approx(-1)


def test_entries_are_scaled_and_without_the_pass_that_each_block_has_had() -> None:
    base = board()
    first, *others = base.rows
    rows = (
        dataclasses.replace(first, ms=3.0, overhead_ms=1.0),
        dataclasses.replace(others[0], ms=0.9, overhead_ms=1.0),
    )
    own = dataclasses.replace(base, rows=rows, overhead_ms=0.5, scale=2.0)
    assert own.entries == {OVERHEAD: 1.0, first.key: 4.0, others[0].key: 0.0}


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = made(config(backend="onnxruntime", batch=4, threads=2))
    write(table, tmp_path / "table.parquet")
    again = read(tmp_path / "table.parquet")
    assert again == table
    assert again.sha256 == table.sha256
    assert again.entries == table.entries
    assert dataclasses.replace(table, scale=1.5).sha256 != table.sha256
    file = pq.read_table(tmp_path / "table.parquet")
    assert file.column_names == ["key", "ms", "low", "high", "p90", "overhead_ms", "samples", "times_seen"]
    about = json.loads(file.schema.metadata[tables.ABOUT])
    assert about["section"]["batch"] == 4
    assert about["signature"] == space_of(config()).signature()
    assert list(tmp_path.iterdir()) == [tmp_path / "table.parquet"]


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def other_value(path: Path) -> None:
    file = pq.read_table(path)
    ms = file["ms"].to_pylist()
    pq.write_table(file.set_column(1, file.schema.field("ms"), pa.array([2 * ms[0], *ms[1:]])), path)


def other_scale(path: Path) -> None:
    file = pq.read_table(path)
    about = json.loads(file.schema.metadata[tables.ABOUT])
    changed = {**file.schema.metadata, tables.ABOUT: json.dumps({**about, "scale": 3.0})}
    pq.write_table(file.replace_schema_metadata(changed), path)


def without(*keys: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        file = pq.read_table(path)
        about = json.loads(file.schema.metadata[tables.ABOUT])
        kept = {key: value for key, value in about.items() if key not in keys}
        pq.write_table(file.replace_schema_metadata({**file.schema.metadata, tables.ABOUT: json.dumps(kept)}), path)

    return change


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (Path.unlink, "no latency table"),
    "text": (lambda path: path.write_text("key,ms"), "is no latency table, or damaged"),
    "empty": (lambda path: path.write_bytes(b""), "is no latency table, or damaged"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-9]), "is no latency table, or damaged"),
    "other parquet": (lambda path: pq.write_table(pa.table({"key": ["a"]}), path), "is no latency table;"),
    "a value": (other_value, "is not what was written"),
    "the scale": (other_scale, "is not what was written"),
    "no check": (without("check"), "is not what was written"),
    "another version": (without("version"), "is not what was written"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "is no latency table, or damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_no_table_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    damage, message = DAMAGE[name]
    path = tmp_path / "table.parquet"
    write(board(), path)
    damage(path)
    with pytest.raises(UserError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_any_flipped_bit_is_noticed_or_harmless(tmp_path: Path) -> None:
    table, path = board(), tmp_path / "table.parquet"
    write(table, path)
    whole = path.read_bytes()
    noticed = 0
    for at in np.random.default_rng(0).integers(0, len(whole), 150).tolist():
        path.write_bytes(whole)
        flipped(path, at)
        try:
            assert read(path) == table
        except UserError:
            noticed += 1
    assert noticed > 50


def test_only_a_table_of_the_same_target_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    table = board()
    write(table, path)
    old = tmp_path / "old.parquet"
    old.hardlink_to(path)
    write(dataclasses.replace(table, scale=2.0), path)
    assert read(path).scale == 2
    assert read(old) == table  # who was reading it reads on
    with pytest.raises(UserError, match="is the latency table of target board, not other"):
        write(dataclasses.replace(table, target="other"), path)
    assert read(path).target == "board"
    path.write_text("my notes")
    with pytest.raises(UserError, match="is no latency table"):
        write(table, path)
    assert path.read_text() == "my notes"
    with pytest.raises(UserError, match="there is no folder"):
        check_free(tmp_path / "absent" / "table.parquet", "board")


def test_a_table_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.parquet"
    table = board()
    write(table, path)
    before = path.read_bytes()

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        write(dataclasses.replace(table, scale=2.0), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_path_in_use_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    path.write_text("my notes")

    def never(network: nn.Module, inputs: Inputs) -> Measurement:
        raise AssertionError

    own = config()
    with pytest.raises(UserError, match="is no latency table"):
        build.build_table(own, "board", space_of(own), SPEC, never, path, say=silent)
    path.unlink()
    table = build.build_table(own, "board", space_of(own), SPEC, clockwork, path, say=silent)
    assert read(path) == table


def test_a_table_fits_its_own_target_space_and_task() -> None:
    own = config(batch=4, max_seconds=1.0)
    table, space = made(own), space_of(own)
    check_compatible(table, own.targets["board"], space, SPEC)
    check_compatible(
        table, TargetConfig(includes="network", batch=4, max_seconds=9.0, address="http://10.0.0.2:7070"), space, SPEC
    )
    for section, message in [
        (TargetConfig(includes="network", batch=8), "made for batch 4, the target has 8"),
        (
            TargetConfig(includes="network", batch=4, backend="onnxruntime"),
            "made for backend torch, the target has onnxruntime",
        ),
        (TargetConfig(includes="network", batch=4, threads=2), "made for threads 1, the target has 2"),
        (TargetConfig(includes="network", batch=4, device="cuda"), "made for device cpu, the target has cuda"),
    ]:
        with pytest.raises(UserError, match=message):
            check_compatible(table, section, space, SPEC)
    section = own.targets["board"]
    with pytest.raises(UserError, match="made for inputs 1 x 8 x 8, networks have 3 x 8 x 8"):
        check_compatible(table, section, space, TaskSpec("other", InputSpec((3, 8, 8)), (10,)))
    with pytest.raises(UserError, match=r"made for output_shape \(10,\), networks have \(2,\)"):
        check_compatible(table, section, space, TaskSpec("other", InputSpec((1, 8, 8)), (2,)))
    other = construct(SPACES, PartConfig(**{**SMALL, "widths": [8, 24]}), "space")
    with pytest.raises(UserError, match=r"is of another space, .*8, 32.* there, .*8, 24.* here"):
        check_compatible(table, section, other, SPEC)


def test_a_table_of_what_is_shipped_has_the_preparation_as_a_block() -> None:
    own, task = config(includes="prepare"), digits()
    included = preparation(task)
    table = make(own, "board", space_of(own), SPEC, clockwork, say=silent, preparation=included)
    assert table.includes == "prepare"
    assert [row.times_seen for row in table.rows if row.key.startswith("Standardise")] == [4]
    for network in networks(space_of(own)):
        assert estimate(Shipped(included.module, network), included.inputs, table.entries) > 1
    check_compatible(table, own.targets["board"], space_of(own), SPEC, included.inputs)
    with pytest.raises(
        UserError, match=r"includes prepare, the target network; set targets.board.includes: prepare, or"
    ):
        check_compatible(table, config().targets["board"], space_of(own), SPEC)
    with pytest.raises(UserError, match="includes network, the target prepare"):
        check_compatible(board(), own.targets["board"], space_of(own), SPEC, included.inputs)


def test_a_network_of_another_space_has_blocks_that_the_table_lacks() -> None:
    wider = construct(SPACES, PartConfig(**{**SMALL, "widths": [24]}), "space")
    with pytest.raises(MissingBlock, match=r"lacks the block Residual\[Conv2d\(8,24"):
        estimate(networks(wider)[0], SPEC.input, board().entries)


VERSION_1 = Path(__file__).parent / "recorded" / "latency_tables" / "version-1.parquet"
"""Of a cell space on digits, written by evonas 0.1 with tables of version 1."""
CELL = {"kind": "cell", "nodes": 3, "ops": ["none", "skip", "conv3x3", "avgpool3x3"], "stages": 1, "channels": 4}


def test_a_table_of_version_1_is_read_with_the_digest_that_runs_have_recorded(tmp_path: Path) -> None:
    table = read(VERSION_1)
    assert table.sha256 == "ebe253e333c9185a414f293efb16274398f568187416cb7d00bc6342e2eb22bb"
    own = config(CELL)
    check_compatible(table, own.targets["board"], space_of(own), SPEC)
    for network in networks(space_of(own)):
        assert estimate(network, SPEC.input, table.entries) >= table.entries[OVERHEAD] > 0
    with pytest.raises(UserError, match="made for inputs 1 x 8 x 8, networks have 64"):
        check_compatible(table, own.targets["board"], space_of(own), TaskSpec("flat", InputSpec((64,)), (10,)))
    write(table, tmp_path / "new.parquet")
    again = read(tmp_path / "new.parquet")
    assert (again.version, again.entries) == (tables.VERSION, table.entries)


@pytest.mark.parametrize("damage", [other_value, other_scale, without("check"), without("version"), without("outputs")])
def test_damage_to_a_table_of_version_1_is_noticed(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = tmp_path / "table.parquet"
    path.write_bytes(VERSION_1.read_bytes())
    names = pq.read_table(path).column_names
    damage(path)
    assert pq.read_table(path).column_names == names
    with pytest.raises(UserError, match="is not what was written: it is damaged or of another evonas"):
        read(path)


def test_a_table_of_language_models(tmp_path: Path) -> None:
    """An embedding of the tokens has an entry of its own, measured with whole numbers; that of their places has none,
    for it is the same for all examples."""
    seen: dict[str, Inputs] = {}

    def noting(network: nn.Module, inputs: Inputs) -> Measurement:
        if isinstance(network, nn.Embedding):
            seen[str(network)] = inputs
        return clockwork(network, inputs)

    own, spec = config(batch=tokens.TOKENS), tokens.language().spec
    table = make(own, "board", tokens.LanguageModels(), spec, noting, say=silent)
    assert seen == {f"Embedding({tokens.VOCABULARY}, {width})": tokens.INPUT for width in (8, 16)}
    assert not any(f"Embedding({tokens.TOKENS}" in row.key for row in table.rows)
    assert table.check.kendall_tau == pytest.approx(1)
    check_compatible(table, own.targets["board"], tokens.LanguageModels(), spec)
    write(table, tmp_path / "table.parquet")
    assert read(tmp_path / "table.parquet").sha256 == table.sha256
    more = dataclasses.replace(spec, input=InputSpec((tokens.TOKENS,), "int64", high=50))
    with pytest.raises(UserError, match="made for inputs 32 of int64 below 27, networks have 32 of int64 below 50"):
        check_compatible(table, own.targets["board"], tokens.LanguageModels(), more)


class Captions(Space):
    width = Choice(4, 8)

    def build(self, arch: Arch, task: TaskSpec) -> nn.Module:
        return Captioning(arch.width, *task.output_shape)


class Captioning(nn.Module):
    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.look, self.token = nn.Linear(6, width), nn.Embedding(9, width)
        self.layers = nn.ModuleList([nn.Linear(width, outputs)])

    def forward(self, image: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
        return self.layers[0](self.look(image) + self.token(words).mean(1))


CAPTIONS = TaskSpec("captions", {"image": InputSpec((6,)), "words": InputSpec((5,), "int64", high=9)}, (3,))


def test_a_table_of_networks_with_several_inputs(tmp_path: Path) -> None:
    own = config(batch=3)
    table = make(own, "board", Captions(), CAPTIONS, clockwork, say=silent)
    assert table.check.error < 1e-12
    assert [row.key.partition("(")[0] for row in table.rows[:5]] == ["Linear", "Embedding", "mean", "add", "Linear"]
    write(table, tmp_path / "table.parquet")
    check_compatible(read(tmp_path / "table.parquet"), own.targets["board"], Captions(), CAPTIONS)
    single = dataclasses.replace(CAPTIONS, input=InputSpec((6,)))
    with pytest.raises(UserError, match=r"made for inputs image: 6, words: 5 of int64 below 9, networks have 6$"):
        check_compatible(table, own.targets["board"], Captions(), single)


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
@pytest.mark.parametrize("space", ["tokens", "several"])
def test_real_blocks_of_whole_numbers(
    backend: str, space: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Narrow(tokens.LanguageModels):
        mixer, width, layers = Choice("gru"), Choice(8), Integer(1, 1)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("evonas.measuring.benchmark.UNBEATEN_S", 0.0)
    own = config(max_seconds=0.05, backend=backend, batch=2)
    bench = LatencyBenchmark("board", own.targets["board"], reference(), DeviceLock([], enabled=False))
    parts = {"tokens": (Narrow(), tokens.language().spec), "several": (Captions(), CAPTIONS)}[space]
    lines: list[str] = []
    table = make(own, "board", *parts, bench.measure, say=lines.append, networks=1)
    assert not any(line.startswith("left out") for line in lines)
    assert len(table.check.networks) == 1
    assert (
        sum("Embedding" in row.key and "int64" in row.key for row in table.rows) == {"tokens": 1, "several": 2}[space]
    )


def test_a_real_table_orders_networks_of_very_different_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    own = config(max_seconds=0.2)
    bench = LatencyBenchmark("board", own.targets["board"], reference(), DeviceLock([], enabled=False))
    tables = (made(own, bench.measure) for _ in range(4))  # other work may turn an order round once
    table = next(table for table in tables if table.check.kendall_tau > 0.5)
    assert len(table.check.networks) == 4
    assert table.conditions["backend"] == "torch"
    assert all(row.ms > 0 for row in table.rows)
