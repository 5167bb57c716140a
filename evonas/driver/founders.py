"""Who comes first: networks that are known before a search begins. They are born before a strategy is asked.

What another run has found out of them counts as it does there, with one difference: where it stopped a network at a
rung, the cutoff of this search decides whether that stands, because other objectives or limits may have stopped it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evonas.config import Config
from evonas.errors import UserError
from evonas.objectives.early_stopping import is_stopped
from evonas.objectives.objectives import Objectives
from evonas.records import Evaluation, Genome, Job, RungReport, Status
from evonas.spaces.space import Space

REUSED, GIVEN = "from", "founder"
"""Operators of candidates that another run has evaluated, and of those that are known as architectures alone."""


def no_weights() -> bytes | None:
    """Nobody has any."""
    return None


@dataclass(frozen=True, slots=True)
class Founder:
    """A candidate of which no strategy is asked.

    Args:
        genome: of its network.
        operator: `REUSED` or `GIVEN`.
        known: what another run found out of it, metrics by the columns of this search; None where nothing is known.
        weights: reads its trained weights, where that run has kept them.
    """

    genome: Genome
    operator: str = GIVEN
    known: Evaluation | None = None
    weights: Callable[[], bytes | None] = no_weights


def all_founders(
    config: Config, space: Space, reused: Sequence[Founder] = (), genomes: Sequence[Genome] = ()
) -> tuple[Founder, ...]:
    """The founders of a search in the order of their birth, each network once.

    Args:
        config: whose `founders`, a list, come last.
        space: of the genomes.
        reused: of another run, with what is known of them.
        genomes: of another run, of which nothing can be taken over; evaluated anew.

    Returns:
        They, in index order.

    Raises:
        UserError: an entry of the config's `founders` is no architecture of the space.
    """
    assert not isinstance(config.founders, str), "a search has taken them from where they are"
    founders: dict[str, Founder] = {}
    for founder in (*reused, *map(Founder, (*genomes, *encoded(config.founders, space)))):
        founders.setdefault(space.identity(founder.genome), founder)
    return tuple(founders.values())


def encoded(architectures: Sequence[Mapping[str, Any]], space: Space) -> list[Genome]:
    """The genomes of architectures.

    Args:
        architectures: nested mappings, as in the column `arch`.
        space: whose networks they are.

    Raises:
        UserError: one is none of the space; names it and its first wrong gene.
    """
    genomes = []
    for place, architecture in enumerate(architectures):
        try:
            genomes.append(space.encode(architecture))
        except ValueError as error:
            raise UserError(f"founders.{place}: {error}") from None
    return genomes


def taken_over(
    job: Job, founder: Founder, objectives: Objectives
) -> tuple[list[RungReport] | list[Evaluation], Job | None]:
    """What is known of a founder at its birth, and what is left to do.

    Args:
        job: of its birth, or of a later start.
        founder: who it is.
        objectives: of this search.

    Returns:
        Its evaluation and no job; or the rungs that are known and not in the job yet, and the job of the rest.
    """
    known = founder.known
    if known is None:
        return [], job
    if known.status is not Status.STOPPED or is_stopped(
        objectives.fitness(known.rungs[-1]), job.cutoffs[known.rungs[-1].rung]
    ):
        return [replace(known, candidate=job.candidate, weights=founder.weights())], None
    reached = (*job.reached, *known.rungs[len(job.reached) :])
    open_to_it = ((),) * len(reached)  # that it passed them is decided, whatever an evaluator looks at
    return list(reached[len(job.reached) :]), replace(
        job, reached=reached, cutoffs=(*open_to_it, *job.cutoffs[len(reached) :])
    )


def is_reused(evaluation: Evaluation, founder: Founder | None) -> bool:
    """Whether an evaluation of this search is one that was taken over: nothing was done for it.

    Args:
        evaluation: as this search recorded it.
        founder: who it is of; None: none.
    """
    known = founder.known if founder else None
    return known is not None and (known.status, len(known.rungs)) == (evaluation.status, len(evaluation.rungs))


def settled_rungs(founder: Founder | None) -> int:
    """At how many rungs no cutoff of this search was looked at, because another run had passed them."""
    known = founder.known if founder else None
    if known is None:
        return 0
    return len(known.rungs) - (known.status is Status.STOPPED)
