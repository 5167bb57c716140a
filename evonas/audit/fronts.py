"""Figures of both searches: what they spent, what their fronts dominate, who reached how much with what."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from evonas import analysis
from evonas.analysis import Reference, Spent
from evonas.audit.figures import NAN, RANDOM, SEARCH, Figure
from evonas.errors import UserError
from evonas.runs.run import Run


@dataclass(frozen=True)
class Side:
    """One of the two searches.

    Args:
        name: search or random.
        run: its run.
        evaluations: its rows, as many as are compared.
        final: of `Run.final`, of those rows.
    """

    name: str
    run: Run
    evaluations: pd.DataFrame
    final: pd.DataFrame

    @property
    def metric(self) -> tuple[str, int]:
        """The metric of the task that the search was about, and -1 where it is maximised."""
        name, direction = analysis.main_metric(self.run.description)
        return name, -1 if direction == "maximize" else 1

    @property
    def is_trained(self) -> bool:
        """Whether evonas trains its networks: not those that are looked up or only measured."""
        description = self.run.description
        return not description["evaluator"] and description["config"]["learner"]["kind"] != "none"

    @cached_property
    def finished(self) -> pd.DataFrame:
        """Networks that were trained to the end, with the objectives that they have then."""
        return analysis.as_finished(self.evaluations, self.final, self.run.objectives)

    @cached_property
    def spent(self) -> Spent:
        """What its candidates have taken."""
        return analysis.spent(self.evaluations)

    def volume(self, rows: pd.DataFrame, point: Reference) -> float:
        """The hypervolume of these rows."""
        return analysis.hypervolume(rows, self.run.objectives, self.run.signs, point)


def side_of(name: str, run: Run, evaluations: int | None = None) -> Side:
    """A run as one side of a comparison.

    Args:
        name: search or random.
        run: the run.
        evaluations: so many at most, in the order that counts; None: all.
    """
    rows = analysis.in_order(run.evaluations, "candidates").iloc[:evaluations].sort_values("candidate")
    final = run.final[run.final["candidate"].isin(rows["candidate"])]
    return Side(name, run, rows.reset_index(drop=True), final.reset_index(drop=True))


def point_of(sides: Mapping[str, Side]) -> Reference:
    """The reference point of all hypervolumes: of the first generations of both.

    Raises:
        UserError: it is too early for one.
    """
    search = sides[SEARCH].run
    frame = analysis.together({name: side.evaluations for name, side in sides.items()})
    try:
        return analysis.reference(frame, search.objectives, search.signs)
    except UserError:
        raise UserError(
            f"{search.folder}: too early for an audit: its first generation has fewer than two fully trained networks "
            "within the limits"
        ) from None


def figures(sides: Mapping[str, Side], point: Reference) -> Iterator[Figure]:
    """Of budgets, fronts and what each needed.

    Args:
        sides: search, and random where there is a baseline.
        point: from `point_of`.
    """
    for side in sides.values():
        yield from _budget(side)
        yield from _front(side, point)
    if RANDOM in sides:
        yield from _against(sides, point)


def _budget(side: Side) -> Iterator[Figure]:
    spent = side.spent
    yield Figure("budget", "evaluations", side.name, spent.evaluations)
    yield Figure("budget", "epochs", side.name, spent.epochs)
    yield Figure("budget", "time of workers", side.name, spent.hours, unit="h")


def _front(side: Side, point: Reference) -> Iterator[Figure]:
    metric, sign = side.metric
    front = analysis.front(side.evaluations, side.run.objectives, side.run.signs)
    best = sign * (sign * front[metric]).min() if metric in front else NAN
    yield Figure("front", "networks", side.name, len(front))
    yield Figure("front", f"best {metric}", side.name, float(best))
    yield Figure("front", "hypervolume", side.name, side.volume(side.evaluations, point))


def _against(sides: Mapping[str, Side], point: Reference) -> Iterator[Figure]:
    search, random = sides[SEARCH], sides[RANDOM]
    columns, signs = search.run.objectives, search.run.signs
    epochs = min(search.spent.epochs, random.spent.epochs)
    for side in sides.values():
        within = analysis.within_epochs(side.evaluations, epochs)
        yield Figure("front", "at equal epochs", side.name, side.volume(within, point), n=len(within))
    luck = analysis.hypervolume_luck(random.evaluations, columns, signs, point)
    yield Figure("front", "deviation over seeds", RANDOM, luck, n=len(random.evaluations))
    for side, other in ((search, random), (random, search)):
        goal = other.volume(other.evaluations, point)
        needed = analysis.spent_until(side.evaluations, columns, signs, goal, point)
        yield Figure("to match other", "evaluations", side.name, needed.evaluations if needed else NAN)
        yield Figure("to match other", "epochs", side.name, needed.epochs if needed else NAN)
        yield Figure("to match other", "time of workers", side.name, needed.hours if needed else NAN, unit="h")
    shared = analysis.shared_networks(search.evaluations, random.evaluations, columns)
    for row in shared.to_dict("records"):
        value, n = float(row["mean_difference"]), int(row["networks"])
        yield Figure("in both", row["column"], SEARCH, value, n=n, unit="share")
