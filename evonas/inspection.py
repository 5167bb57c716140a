"""Looking at parts without a search: a config's space, its JSON schema, a network's latency; a network as a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import nn

from evonas.config import Config, construct, load_config, options_model, unknown
from evonas.evaluation import TASKS
from evonas.evaluation.targets import Targets
from evonas.lines import line_of
from evonas.measuring.quiet import Quiet
from evonas.objectives import Objectives
from evonas.rebuild import config_of, space_of, task_of
from evonas.records import Measurement, TargetAway, UserError
from evonas.run import Run
from evonas.spaces import SPACES
from evonas.spaces.genes import Scalar
from evonas.start import remotes
from evonas.strategies import STRATEGIES
from evonas.streams import stream
from evonas.tabulate import tabulate

EXAMPLES = 3


def describe_space(config_path: str, overrides: Sequence[str]) -> Iterator[str | Table]:
    """The genes of a config's space, its size, and a few random networks with their parameters."""
    config = load_config(config_path, overrides)
    space = construct(SPACES, config.space, "space")
    table = Table("gene", "values", title=f"space {config.space.kind}", title_justify="left")
    for row in space_genes(config_path, overrides):
        table.add_row(row["gene"], ", ".join(map(str, row["values"])))
    yield table
    yield f"{len(space.genes)} genes, {_about(space.size())} networks"
    task = construct(TASKS, config.task, "task").spec
    rng = stream(config.seed, "example")
    for genome in (space.sample(rng) for _ in range(EXAMPLES)):
        try:
            parameters = sum(p.numel() for p in space.build(space.decode(genome), task).parameters())
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}".splitlines()[0]
            raise UserError(f"{config.space.kind}.build fails for {space.describe(genome)}: {wrong}") from error
        yield f"{parameters:>9,} parameters: {_brief(space.describe(genome))}"


def space_genes(config_path: str, overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Each gene of a config's space: gene, values."""
    space = construct(SPACES, load_config(config_path, overrides).space, "space")
    return [{"gene": name, "values": list(leaf.values)} for name, leaf in space.leaves]


def measure_again(folder: str, candidate: int, target: str | None) -> Iterator[dict[str, Any]]:
    """Latency of a candidate's network on this machine, on each target, beside what the run recorded.

    Yields:
        target, latency_ms, low_ms and high_ms (95 % interval), settled, p90_ms, passes, raw_ms (as clocked), drift (how
        much slower the reference network was than on the quiet device), recorded_ms (None where none is)

    Raises:
        UserError: no such candidate or target, or the target's device is not here.
    """
    run = Run(folder)
    config = config_of(run.folder, run.description)
    row = run.evaluations[run.evaluations["candidate"] == candidate]
    if row.empty:
        raise UserError(f"no decided candidate {candidate}; the run has {len(run.evaluations):,}")
    if target is not None and target not in config.targets:
        raise UserError(f"--target: no target {target!r}; the run has {', '.join(config.targets) or 'none'}")
    if not config.targets:
        raise UserError("the run has no targets to measure on")
    space, task = space_of(run.description, None), task_of(run.description)
    genome = tuple(row.iloc[0]["genome"])
    targets = Targets(space, config, Objectives(config, task), {}, Quiet(["cpu"]), task.input_shape)
    places = remotes(config, config.targets).places
    for name in [target] if target else config.targets:
        try:
            found = targets.part(name, space.build(space.decode(genome), task), task.input_shape, places)
        except TargetAway as away:
            raise UserError(str(away)) from None
        recorded = row.iloc[0].get(f"latency_ms[{name}]")
        yield {
            "target": name,
            "latency_ms": found.ms,
            "low_ms": found.low,
            "high_ms": found.high,
            "settled": found.settled,
            "p90_ms": found.p90,
            "passes": len(found.samples),
            "raw_ms": found.raw,
            "drift": found.drift,
            "recorded_ms": recorded,
        }


def in_words(row: Mapping[str, Any]) -> str:
    """A row of `measure_again` as a line."""
    unsettled = "" if row["settled"] else ", not settled in time"
    drift = row["drift"]
    slower = f"{abs(drift):.0%} {'slower' if drift > 0 else 'faster'} than on the quiet device"
    recorded = f"; recorded {row['recorded_ms']:.4g}" if row["recorded_ms"] else ""
    return (
        f"latency_ms[{row['target']}]: median {row['latency_ms']:.4g} (95 % interval {row['low_ms']:.4g} to "
        f"{row['high_ms']:.4g}{unsettled}), p90 {row['p90_ms']:.4g}, {row['passes']} passes, median as clocked "
        f"{row['raw_ms']:.4g}; the reference network was {slower}{recorded}"
    )


def make_table(config_path: str, overrides: Sequence[str], target: str, path: str, say: Callable[[str], None]) -> None:
    """Measure the blocks of a config's space on one of its targets, and write them to a Parquet file.

    Raises:
        UserError: no such target, it is not there, or the path is taken.
    """
    config = load_config(config_path, overrides)
    if target not in config.targets:
        raise UserError(f"--target: {unknown(target, config.targets)}")
    space = construct(SPACES, config.space, "space")
    task = construct(TASKS, config.task, "task").spec
    targets = Targets(space, config, Objectives(config, task), {}, Quiet(["cpu"]), task.input_shape)
    places = remotes(config, [target]).places

    def measure(module: nn.Module, input_shape: tuple[int, ...]) -> Measurement:
        return targets.part(target, module, input_shape, places)

    try:
        table = tabulate(config, target, space, task, measure, path, say=say)
    except TargetAway as away:
        raise UserError(str(away)) from None
    say(f"{path}: {len(table.rows):,} blocks of {config.space.kind} on {target}")


def export(folder: str, candidate: int, out: str | None) -> Iterator[str]:
    """Write a network of the front, what the task does to stored examples included, for `torch.export.load`.

    out: default candidate-N.pt2. Yields what there is to know of the file.

    Raises:
        UserError: no such candidate, its weights are not kept, or the file cannot be written.
    """
    run = Run(folder)
    network = run.build(candidate)
    try:
        task = run.task()
    except UserError as reason:  # a task of the user's own, or its data are elsewhere
        example = torch.zeros(2, *run.description["task"]["input_shape"])
        yield f"note: {reason}; so the file takes what the task's `prepare` gives, and not the data as they are stored"
    else:
        example = torch.from_numpy(task.splits.test.x[:2])
        network = nn.Sequential(task.prepare, network).eval()
    program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    path = Path(out or f"candidate-{candidate}.pt2")
    try:
        torch.export.save(program, path)
    except (OSError, RuntimeError) as error:
        raise UserError(f"--out {path}: {line_of(error)}") from None
    shape = ", ".join(map(str, example.shape[1:]))
    kind = str(example.dtype).removeprefix("torch.")
    yield f"{path}: takes {kind} (N, {shape}); torch.export.load({str(path)!r}).module()"


def schema() -> dict[str, Any]:
    """The JSON schema of a config: every section, and the options of each kind."""
    result = Config.model_json_schema()
    definitions = result["$defs"]
    for section, registry, base, skip in (
        ("space", SPACES, "Kind", 0),
        ("task", TASKS, "Kind", 0),
        ("strategy", STRATEGIES, "StrategyKind", 3),
    ):
        kinds = [_kind(name, part, skip, definitions[base], definitions) for name, part in registry.items()]
        own = {**definitions[base], "description": f"a {section} of your own, registered by --import"}
        own["properties"] = {**own["properties"], "kind": {"type": "string", "not": {"enum": list(registry)}}}
        default = {"default": result["properties"][section]["default"]} if section == "strategy" else {}
        result["properties"][section] = {"anyOf": [*kinds, own], **default}
    for base in ("Kind", "StrategyKind"):
        definitions.pop(base)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **result, "title": "evonas config"}


def _kind(
    name: str, part: Callable[..., Any], skip: int, base: Mapping[str, Any], definitions: dict[str, Any]
) -> dict[str, Any]:
    """The schema of one kind of a section: the section's own keys and the options of its constructor."""
    options = options_model(part, skip).model_json_schema()
    definitions.update(options.pop("$defs", {}))
    first_line = (part.__doc__ or name).strip().splitlines()[0]
    return {
        "type": "object",
        "description": first_line,
        "properties": {**base["properties"], "kind": {"const": name}, **options.get("properties", {})},
        "required": ["kind", *options.get("required", [])],
        "additionalProperties": False,
    }


def _about(size: int) -> str:
    return f"{size:,}" if size < 10**9 else f"about {size:.1e}"


def _brief(genes: Mapping[str, Scalar]) -> str:
    return ", ".join(f"{name}={value}" for name, value in genes.items())
