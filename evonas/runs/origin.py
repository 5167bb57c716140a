"""The run that another one has taken evaluations over from, as the record of the newer one knows it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from evonas.config import Config
from evonas.driver.founders import REUSED, Founder, all_founders, no_weights
from evonas.objectives.objectives import Objectives
from evonas.records import Genome
from evonas.spaces.space import Space
from evonas.store import ORIGIN, Folder, from_row, read_reused, read_run

Weights = Callable[[Mapping[str, Any]], Callable[[], bytes | None]]
"""A row of `reused.parquet` -> what reads its weights."""


def founders_of(folder: Folder, config: Config, space: Space, objectives: Objectives) -> tuple[Founder, ...]:
    """The founders of a run, by its record alone.

    Args:
        folder: of the run.
        config: its config.
        space: its space.
        objectives: of the config.

    Raises:
        UserError: what it re-uses is missing or damaged.
    """
    description = read_run(folder)
    genomes = [tuple(genome) for genome in (description.get(ORIGIN) or {}).get("founders", ())]
    return made(read_reused(folder, description), genomes, config, space, objectives)


def made(
    rows: Sequence[Mapping[str, Any]],
    genomes: Sequence[Genome],
    config: Config,
    space: Space,
    objectives: Objectives,
    weights: Weights = lambda row: no_weights,
) -> tuple[Founder, ...]:
    """Founders from rows.

    Args:
        rows: of `reused.parquet`.
        genomes: those of the other run that are evaluated anew.
        config: of the search.
        space: of the genomes.
        objectives: of the search; rows have the columns of its metrics.
        weights: how to read those that the other run has kept.
    """
    known = []
    for row in rows:
        samples = {name: row.get(f"latency_samples[{name}]") for name in objectives.targets}
        evaluation = replace(
            from_row(row, objectives.metrics),
            scores=row["scores"],
            latency_samples={name: tuple(found) for name, found in samples.items() if found is not None},
        )
        known.append(Founder(evaluation.candidate.genome, REUSED, evaluation, weights(row)))
    return all_founders(config, space, known, genomes)
