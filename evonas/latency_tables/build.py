"""A latency table is made: the blocks of a space's networks are looked for, each is measured, the sum is checked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from evonas.config import Config
from evonas.did_you_mean import unknown
from evonas.errors import TargetUnavailable, UserError
from evonas.inputs import called, example, in_words, mapped, to_plain
from evonas.latency_tables.blocks import Block, blocks, estimate
from evonas.latency_tables.table import BlockLatency, Check, Table, check_free, scaled, write
from evonas.measuring.torch_state import seeded
from evonas.records import Genome, Inputs, Measurement, TaskSpec
from evonas.seeding import stream
from evonas.spaces.space import Space
from evonas.spaces.units import built
from evonas.tasks.shipped import Preparation
from evonas.text import describe_error

ENUMERATED = 5_000
"""A space of so many networks is looked through as a whole. From a larger one is sampled ..."""
PATIENCE = 1_000
"""... until so many networks in a row have brought no new block ..."""
MOST_SAMPLES = 20_000
"""... or so many have been drawn."""
MOST_BLOCKS = 10_000
NETWORKS = 10
"""A table is checked with so many whole networks."""
FEWEST = 4
"""A scale needs so many networks: it is fitted to half of them."""
REPORTS = 20
SMALLER = "open up its modules (nn.Sequential, nn.ModuleList) or search a smaller space"

Measure = Callable[[nn.Module, Inputs], Measurement]
Say = Callable[[str], None]


def build_table(
    config: Config,
    target: str,
    space: Space,
    spec: TaskSpec,
    measure: Measure,
    path: str | Path,
    *,
    say: Say,
    preparation: Preparation | None = None,
) -> Table:
    """Make a table and write it to a file.

    Args:
        config, target, space, spec, measure, say, preparation: as for `make`.
        path: of the file.

    Raises:
        UserError, TargetUnavailable: as `make` and `write` do; for the path, before anything is measured.
    """
    check_free(path, target)
    table = make(config, target, space, spec, measure, say=say, preparation=preparation)
    write(table, path)
    return table


def make(
    config: Config,
    target: str,
    space: Space,
    spec: TaskSpec,
    measure: Measure,
    *,
    say: Say,
    networks: int = NETWORKS,
    preparation: Preparation | None = None,
) -> Table:
    """Measure each block of the space once, and some networks as a whole.

    Args:
        config: of a search.
        target: its name in the config.
        space: the networks.
        spec: the task.
        measure: (network, inputs) -> what it takes on the target.
        say: takes lines for people.
        networks: how many whole ones are measured.
        preparation: of the task, where the target includes it: its parts are blocks too.

    Raises:
        UserError: the config has no such target, no network of the space can be built, it has too many different
            blocks, or none can be measured.
        TargetUnavailable: as `measure` raises it.
    """
    if target not in config.targets:
        raise UserError(f"targets: {unknown(target, config.targets)}")
    if config.targets[target].includes == "network":
        preparation = None
    maker = _Builder(config, target, space, spec, measure, say, preparation)
    found = maker.look()
    rows = maker.rows(found)
    overhead_ms = maker.empty(maker.inputs)
    pairs = maker.pairs(scaled(rows, overhead_ms, 1.0), networks)
    scale, check = fit_scale(pairs)
    say(f"{check}; scale {scale:.3g}")
    return Table(
        target=target,
        section={**config.targets[target].model_dump(mode="json"), "includes": "prepare" if preparation else "network"},
        kind=config.space.kind,
        signature=space.signature(),
        inputs=to_plain(maker.inputs),
        output_shape=spec.output_shape,
        overhead_ms=overhead_ms,
        scale=scale,
        check=check,
        conditions=maker.conditions,
        evonas=version("evonas"),
        rows=rows,
    )


def fit_scale(pairs: Sequence[tuple[float, float]]) -> tuple[float, Check]:
    """Find the scale that brings what a table says to what was measured: the median of the ratios of every other
    network. It stays 1 where there are few networks, or where it would make the table worse on the others.

    Args:
        pairs: what the table says and what was measured, in ms, of each network.

    Returns:
        The scale, and how far the table is from the other networks with it.
    """
    others = list(pairs)
    fitted = 1.0
    if len(pairs) >= FEWEST:
        others, fitted = list(pairs[1::2]), median(measured / predicted for predicted, measured in pairs[::2])
    unscaled, fit = _errors(others, 1.0), _errors(others, fitted)
    scale, (error, bias) = (fitted, fit) if fit[0] <= unscaled[0] else (1.0, unscaled)
    frame = pd.DataFrame(pairs, columns=["predicted", "measured"])
    tau = float(frame["predicted"].corr(frame["measured"], method="kendall")) if len(pairs) > 1 else float("nan")
    return scale, Check(tuple(pairs), error, bias, *unscaled, None if tau != tau else tau)


def _errors(pairs: Sequence[tuple[float, float]], scale: float) -> tuple[float, float]:
    """Mean absolute error and mean error, as shares; 0 of no pairs."""
    errors = [scale * predicted / measured - 1 for predicted, measured in pairs] or [0.0]
    return fmean(map(abs, errors)), fmean(errors)


@dataclass
class _Found:
    """A network that has a block, and how often all networks run it."""

    genome: Genome
    times_seen: int = 0


class _Unmeasurable(Exception):
    """A module fails on the target. The message is one line: how."""


class Empty(nn.Module):
    """A network that gives what it gets; of several tensors the first."""

    def forward(self, *parts: Tensor, **named: Tensor) -> Tensor:
        return next(iter((*parts, *named.values())))


class _Builder:
    """The state of the making. `conditions` are those that all measurements so far had alike."""

    def __init__(
        self,
        config: Config,
        target: str,
        space: Space,
        spec: TaskSpec,
        measure: Measure,
        say: Say,
        preparation: Preparation | None,
    ) -> None:
        self.conditions: Mapping[str, str] = {}
        self._space, self._spec, self._seed = space, spec, config.seed
        self._target, self._batch = target, config.targets[target].batch
        self._ask, self._say = measure, say
        self._preparation = preparation
        self.inputs = preparation.inputs if preparation else spec.input
        self._empty: dict[str, float] = {}
        self._first = True

    def look(self) -> Mapping[str, _Found]:
        """Find all blocks, by their keys."""
        found: dict[str, _Found] = {}
        seen, newest, failed = 0, 0, None
        for seen, genome in enumerate(self._genomes(), 1):
            try:
                before = len(found)
                self._note(found, genome)
                newest = seen if len(found) > before else newest
            except Exception as error:  # a candidate that a search would record as failed
                failed = failed or error
            if len(found) > MOST_BLOCKS:
                raise UserError(
                    f"more than {MOST_BLOCKS:,} different blocks, such as {next(reversed(found))}; {SMALLER}"
                )
            if seen - newest >= PATIENCE and self._space.size() > ENUMERATED:
                break
        if not found:
            raise UserError(
                f"no network of the space can be built: {describe_error(failed) if failed else 'it has none'}"
            )
        self._say(f"{len(found):,} different blocks in {seen:,} networks")
        return found

    def rows(self, found: Mapping[str, _Found]) -> tuple[BlockLatency, ...]:
        """Measure each block. One that cannot be is left out, as its networks could not be measured either."""
        rows: list[BlockLatency] = []
        for n, (key, where) in enumerate(found.items(), 1):
            try:
                rows.append(self._row(key, where))
            except _Unmeasurable as failure:
                self._say(f"left out: block {key}: {failure}")
                if n == len(found) and not rows:
                    raise UserError(f"no block can be measured on {self._target}: {failure}") from None
            if n % -(-len(found) // REPORTS) == 0 or n == len(found):
                self._say(f"{n:,} of {len(found):,} blocks measured")
        return tuple(rows)

    def _row(self, key: str, where: _Found) -> BlockLatency:
        block = self._block(key, where.genome)
        taken, empty = self._measured(block.module, block.input), self.empty(block.input)
        times = taken.ms, taken.low, taken.high, taken.p90
        return BlockLatency(key, *times, empty, len(taken.samples), where.times_seen)

    def empty(self, inputs: Inputs) -> float:
        """Milliseconds of a network that gives what it gets."""
        key = in_words(inputs)
        if key not in self._empty:
            try:
                self._empty[key] = self._measured(Empty(), inputs).ms
            except _Unmeasurable as failure:
                raise UserError(f"an empty network cannot be measured on {self._target}: {failure}") from None
        return self._empty[key]

    def pairs(self, table: Mapping[str, float], count: int) -> list[tuple[float, float]]:
        """Estimate and measure so many random networks; those that fail are left out."""
        pairs = []
        for genome in self._different(count):
            try:
                network = self._network(genome)
                predicted = estimate(network, self.inputs, table)
                measured = self._measured(network, self.inputs).ms
            except (UserError, TargetUnavailable):
                raise
            except Exception as error:  # a candidate that a search would record as failed
                self._say(f"left out: network {genome}: {describe_error(error)}")
                continue
            self._say(f"a whole network: {predicted:.4g} ms added up, {measured:.4g} ms measured")
            pairs.append((predicted, measured))
        return pairs

    def _genomes(self) -> Iterator[Genome]:
        space = self._space
        if space.size() <= ENUMERATED:
            return iter(space.genomes())
        rng = stream(self._seed, "table")
        return (space.canonical(space.sample(rng)) for _ in range(MOST_SAMPLES))

    def _different(self, count: int) -> Sequence[Genome]:
        """Random genomes of different networks, no more than there are."""
        space, rng = self._space, stream(self._seed, "table", 1)
        drawn = [space.canonical(space.sample(rng)) for _ in range(20 * count)]
        return list({space.identity(genome): genome for genome in drawn}.values())[:count]

    def _note(self, found: dict[str, _Found], genome: Genome) -> None:
        try:
            with torch.device("meta"):
                network = self._network(genome)
            ran = blocks(network, self.inputs)
        except Exception:  # it needs measured numbers
            ran = blocks(self._network(genome), self.inputs)
        for block in ran:
            found.setdefault(block.key, _Found(genome)).times_seen += 1

    def _network(self, genome: Genome) -> nn.Module:
        """The same weights every time; torch's random state is left as it was. Lazy layers are given their sizes."""
        with seeded(0):
            network = built(self._space, genome, self._spec).eval()
            if any(map(is_lazy, network.parameters())):
                called(network, mapped(torch.from_numpy, example(self._spec.input, 1)))
        return self._preparation.around(network).eval() if self._preparation else network

    def _block(self, key: str, genome: Genome) -> Block:
        """The block with the target's batch; keys are those of batch 1."""
        network, inputs = self._network(genome), self.inputs
        one, many = blocks(network, inputs), blocks(network, inputs, batch=self._batch)
        if len(one) != len(many):
            raise _Unmeasurable(f"its network runs {len(one)} blocks at batch 1, {len(many)} at batch {self._batch}")
        return next(block for at, block in zip(one, many, strict=True) if at.key == key)

    def _measured(self, network: nn.Module, inputs: Inputs) -> Measurement:
        try:
            found = self._ask(network, inputs)
        except (UserError, TargetUnavailable):
            raise
        except Exception as error:
            raise _Unmeasurable(describe_error(error)) from error
        known = found.conditions if self._first else self.conditions
        self._first = False
        self.conditions = {key: text for key, text in known.items() if found.conditions.get(key) == text}
        return found
