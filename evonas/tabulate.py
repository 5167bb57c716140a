"""Making a latency table: look for all blocks that the networks of a space are made of, measure each, check the sum."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import fmean, median

import pandas as pd
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from evonas.config import Config, unknown
from evonas.evaluation.isolation import seeded
from evonas.lines import line_of
from evonas.measuring.blocks import Block, blocks, estimate
from evonas.records import Genome, Measurement, TargetAway, TaskSpec, UserError
from evonas.spaces.space import Space
from evonas.streams import stream
from evonas.table import Check, Row, Table, check_free, scaled, write

ENUMERATED = 5_000
"""Networks of a space that is looked through as a whole. From a larger one is sampled ..."""
PATIENCE = 1_000
"""... until so many networks in a row have brought no new block ..."""
MOST_SAMPLES = 20_000
"""... or so many have been drawn."""
MOST_BLOCKS = 10_000
NETWORKS = 10
"""Whole networks that a table is checked with."""
FEWEST = 4
"""Networks that a scale is fitted with: to half of them."""
REPORTS = 20
SMALLER = "open up its modules (nn.Sequential, nn.ModuleList) or search a smaller space"

Measure = Callable[[nn.Module, tuple[int, ...]], Measurement]
Say = Callable[[str], None]


def tabulate(
    config: Config, target: str, space: Space, spec: TaskSpec, measure: Measure, path: str | Path, *, say: Say
) -> Table:
    """Make a table and write it to a file.

    Raises as `make` and `write` do; what is wrong with the path, before anything is measured.
    """
    check_free(path, target)
    table = make(config, target, space, spec, measure, say=say)
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
) -> Table:
    """Measure each block of the space once, and some networks as a whole.

    measure: what a network takes on the target, from it and the shape of one example. say: takes lines for people.
    networks: how many whole ones.

    Raises:
        UserError: the config has no such target, no network of the space can be built, it has too many different
            blocks, or one cannot be measured.
        TargetAway: as `measure` raises it.
    """
    if target not in config.targets:
        raise UserError(f"targets: {unknown(target, config.targets)}")
    maker = _Maker(config, target, space, spec, measure, say)
    found = maker.look()
    rows = maker.rows(found)
    pass_ms = maker.empty(spec.input_shape)
    pairs = maker.pairs(scaled(rows, pass_ms, 1.0), networks)
    scale, check = assess(pairs)
    say(f"{check}; scale {scale:.3g}")
    return Table(
        target=target,
        section=config.targets[target].model_dump(mode="json"),
        kind=config.space.kind,
        signature=space.signature(),
        input_shape=tuple(spec.input_shape),
        outputs=spec.outputs,
        pass_ms=pass_ms,
        scale=scale,
        check=check,
        conditions=maker.conditions,
        evonas=version("evonas"),
        rows=rows,
    )


def assess(pairs: Sequence[tuple[float, float]]) -> tuple[float, Check]:
    """The scale that brings what a table says to what was measured, and how far it is then; pairs: of both, in ms.

    Fitted to every other network: the median of the ratios. It stays 1 where there are few networks, or where it would
    make the table worse on the others.
    """
    others = list(pairs)
    fitted = 1.0
    if len(pairs) >= FEWEST:
        others, fitted = list(pairs[1::2]), median(real / told for told, real in pairs[::2])
    unscaled, fit = _errors(others, 1.0), _errors(others, fitted)
    scale, (error, bias) = (fitted, fit) if fit[0] <= unscaled[0] else (1.0, unscaled)
    frame = pd.DataFrame(pairs, columns=["told", "real"])
    tau = float(frame["told"].corr(frame["real"], method="kendall")) if len(pairs) > 1 else float("nan")
    return scale, Check(tuple(pairs), error, bias, *unscaled, None if tau != tau else tau)


def _errors(pairs: Sequence[tuple[float, float]], scale: float) -> tuple[float, float]:
    """Mean absolute error and mean error, as shares; 0 of no pairs."""
    errors = [scale * told / real - 1 for told, real in pairs] or [0.0]
    return fmean(map(abs, errors)), fmean(errors)


@dataclass
class _Found:
    """Where a block is: in which network, and at which place of its pass."""

    genome: Genome
    place: int
    times_seen: int = 0


class _Maker:
    """conditions: those that all measurements so far had alike."""

    def __init__(self, config: Config, target: str, space: Space, spec: TaskSpec, measure: Measure, say: Say) -> None:
        self.conditions: Mapping[str, str] = {}
        self._space, self._spec, self._seed = space, spec, config.seed
        self._target, self._batch = target, config.targets[target].batch
        self._ask, self._say = measure, say
        self._empty: dict[tuple[int, ...], float] = {}

    def look(self) -> Mapping[str, _Found]:
        """All blocks, by their keys."""
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
            raise UserError(f"no network of the space can be built: {line_of(failed) if failed else 'it has none'}")
        self._say(f"{len(found):,} different blocks in {seen:,} networks")
        return found

    def rows(self, found: Mapping[str, _Found]) -> tuple[Row, ...]:
        """Each block measured."""
        rows = []
        for n, (key, where) in enumerate(found.items(), 1):
            block = self._block(where)
            taken = self._measured(block.module, block.input_shape, f"block {key}")
            rows.append(
                Row(
                    key,
                    taken.ms,
                    taken.low,
                    taken.high,
                    taken.p90,
                    self.empty(block.input_shape),
                    len(taken.samples),
                    where.times_seen,
                )
            )
            if n % -(-len(found) // REPORTS) == 0 or n == len(found):
                self._say(f"{n:,} of {len(found):,} blocks measured")
        return tuple(rows)

    def empty(self, input_shape: tuple[int, ...]) -> float:
        """Milliseconds of a network that gives what it gets."""
        if input_shape not in self._empty:
            self._empty[input_shape] = self._measured(nn.Identity(), input_shape, "an empty network").ms
        return self._empty[input_shape]

    def pairs(self, table: Mapping[str, float], count: int) -> list[tuple[float, float]]:
        """What the table says of so many random networks, and what they take; without those that cannot be built."""
        pairs = []
        for genome in self._different(count):
            try:
                network = self._network(genome)
                told = estimate(network, self._spec.input_shape, table)
            except Exception:  # not built, or with a block that was not found
                continue
            pairs.append((told, self._measured(network, self._spec.input_shape, f"network {genome}").ms))
            self._say(f"a whole network: {pairs[-1][0]:.4g} ms added up, {pairs[-1][1]:.4g} ms measured")
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
            ran = blocks(network, self._spec.input_shape)
        except Exception:  # it needs real numbers
            ran = blocks(self._network(genome), self._spec.input_shape)
        for place, block in enumerate(ran):
            found.setdefault(block.key, _Found(genome, place)).times_seen += 1

    def _network(self, genome: Genome) -> nn.Module:
        """The same weights every time; torch's random state is left as it was. Lazy layers are given their sizes."""
        with seeded(0):
            network = self._space.build(self._space.decode(genome), self._spec).eval()
            if any(map(is_lazy, network.parameters())):
                network(torch.zeros(1, *self._spec.input_shape))
        return network

    def _block(self, where: _Found) -> Block:
        """With the target's batch."""
        return blocks(self._network(where.genome), self._spec.input_shape, batch=self._batch)[where.place]

    def _measured(self, network: nn.Module, input_shape: tuple[int, ...], what: str) -> Measurement:
        try:
            found = self._ask(network, input_shape)
        except (UserError, TargetAway):
            raise
        except Exception as error:
            raise UserError(f"{what} cannot be measured on {self._target}: {line_of(error)}") from error
        known = self.conditions or found.conditions
        self.conditions = {key: text for key, text in known.items() if found.conditions.get(key) == text}
        return found
