"""A run folder as an object: its tables as data frames, its networks as modules."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from evonas import analysis
from evonas.errors import UserError
from evonas.runs.money import Money, money, with_more_money
from evonas.runs.remarks import remarks
from evonas.runs.status import progress, spending
from evonas.runs.weights_again import about_weights
from evonas.scores import decoded
from evonas.store import Folder, Recovered, open_folder, read_measured, read_run, read_starts, recover, screened_targets

if TYPE_CHECKING:  # a run is read without torch
    from torch import nn

    from evonas.runs.verify import Verdict
    from evonas.spaces.space import Space
    from evonas.tasks import Task


class Run:
    """What a search has found so far. Reads a live run too; `load` it again to see more.

    Args:
        folder: a path, or a URL such as s3://bucket/run.
        space: the user's own, where the config names none of evonas.
        task: the same.

    Raises:
        UserError: the folder is no run, or is damaged.
    """

    def __init__(self, folder: str | Path | Folder, space: "Space | None" = None, task: "Task | None" = None) -> None:
        self.folder = open_folder(folder)
        self.description: dict[str, Any] = read_run(self.folder)
        self._space, self._task = space, task

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r}: {len(self.evaluations):,} evaluated, front of {len(self.front())})"

    @property
    def objectives(self) -> list[str]:
        """Their columns in `evaluations`."""
        return [objective["column"] for objective in self.description["objectives"]]

    @property
    def signs(self) -> list[int]:
        """Of each objective 1, or -1 where it is maximised."""
        return [objective["sign"] for objective in self.description["objectives"]]

    @property
    def state(self) -> str:
        """running, finished and why, or stopped and how to go on."""
        if self.folder.is_locked():
            return "running"
        last = (read_starts(self.folder) or [{}])[-1]
        if ended := last.get("ended"):
            return f"finished: {ended}"
        budget, spent = last.get("budget") or {}, self.money.usd
        is_over = budget.get("usd") and spent is not None and spent >= budget["usd"]
        if is_over and not (budget.get("at_end") == "finish" and len(self.unfinished)):
            line = with_more_money(f"evonas resume {shlex.quote(str(self.folder))}", spent or 0.0)
            return f"stopped; to go on: {line}"
        return f"stopped; to go on: evonas resume {self.folder}"

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row a evaluated candidate, by index; the columns are those of the Parquet files, without `scores`.
        Latencies that the search measured to the end after it stand in the place of those that had been measured for a
        moment."""
        return self._recorded.drop(columns="scores")

    @cached_property
    def populations(self) -> pd.DataFrame:
        """The survivors of every generation: generation, candidate, rank, crowding."""
        return analysis.populations(self.folder, self.description)

    @cached_property
    def measured(self) -> pd.DataFrame:
        """What the front took when it was measured at the end of a run with latency tables, or by `evonas measure
        --front`; else empty."""
        return analysis.measured(self.folder, self.description)

    @cached_property
    def final(self) -> pd.DataFrame:
        """Networks that `evonas train` has trained to the end, a row each; of one that was trained in several ways,
        the newest. Among its columns are candidate, status, seeds, epochs, fit_on, valid[M], test[M] with test_low[M]
        and test_high[M] (95 % over examples), seeds_low[M] and seeds_high[M] (95 % of the mean over seeds),
        latency_ms[T] with its ends."""
        return analysis.final(self.folder).drop_duplicates("candidate", keep="last", ignore_index=True)

    @cached_property
    def tests(self) -> pd.DataFrame:
        """Every look at the test examples by `evonas test`: candidate, weights, examples, at, test[M] and its ends."""
        return analysis.tests(self.folder)

    @property
    def unfinished(self) -> pd.DataFrame:
        """Candidates that were bred and are not evaluated: in work, or stopped when the time of the budget was used up.
        They are taken up when the search goes on. candidate, genome, parents, operator, rungs (reached by now), status.
        """
        return analysis.unfinished(self._recovered())

    def mismatch(self) -> pd.DataFrame:
        """Table against measurement, of each target with a table: target, networks, mean_error, kendall_tau."""
        return analysis.mismatch(self.evaluations, self.measured, list(self.description["tables"]))

    def status(self) -> dict[str, Any]:
        """How far the run is: evaluated, by status, generations, front, elapsed_s, state; unsettled: target ->
        latencies that did not come within the bound, of those that were measured; spent_usd: US dollars of all nodes
        that had a price, None where none had; unpriced_node_hours: of the others; generations_usd: generation -> US
        dollars of all nodes."""
        record = self._recovered()
        return {
            **progress(record, self.evaluations, len(self.front()), self.description["targets"]),
            **spending(self._money(record), self.costs()),
            "state": self.state,
        }

    @property
    def money(self) -> Money:
        """What the search cost by the prices of its nodes: of all nodes, and of candidates."""
        return self._money(self._recovered())

    def costs(self) -> pd.DataFrame:
        """What each generation cost, US dollars, as of `analysis.costs`."""
        return analysis.costs(self.evaluations)

    def remarks(self) -> list[str]:
        """What is to be known beside the front, a line each: what its latencies are of and how far they settled, what
        the intervals are, who else may be on the front, and which re-used networks were trained again."""
        known = remarks(
            self.description, self.evaluations, self.measured, self.folder, self.drawn, len(self.unmeasured)
        )
        return [*known, *about_weights(self.description, self.front(), self.folder)]

    def front(self) -> pd.DataFrame:
        """The fully trained, feasible candidates that none dominates, best in the first objective first."""
        return analysis.front(self.evaluations, self.objectives, self.signs)

    @property
    def unmeasured(self) -> list[int]:
        """Candidates on the front that are still to be measured to the end: their latencies were measured for a moment,
        or come from a table. None after a search that has ended."""
        tried = {row["candidate"] for row in read_measured(self.folder, by_search=True)}
        front = self.front()
        everyone = bool(self.description["tables"])
        rows = zip(front["candidate"], front["conditions"], strict=True)
        return sorted(int(i) for i, known in rows if i not in tried and (everyone or screened_targets(known)))

    def certainty(self) -> pd.DataFrame:
        """How sure each member of the front is: its intervals, the members it cannot be told from, and the probability
        that it is on the front at all, given the noise of error and latency; see `analysis.certainty`."""
        return analysis.certainty(self.evaluations, self.objectives, self.signs, self.description, of=self.drawn)

    @cached_property
    def drawn(self) -> analysis.Drawn:
        """The objectives of all that compete in draws of the examples and latencies, from which certainty follows."""
        scores = dict(zip(self._recorded["candidate"], self._recorded["scores"], strict=True))
        return analysis.drawn(self.evaluations, self.objectives, self.signs, self.description, scores)

    def scores(self, metric: str) -> pd.DataFrame:
        """What a metric of the task is made of, a number an example of the validation part: 1 and 0 of a share.

        Args:
            metric: its name, e.g. "error".

        Returns:
            A row for each fully trained candidate that has scores of the metric, by index, a column for each example;
            of more than 65,536 examples a sample, which is the same for all candidates.
        """
        rows = zip(self._recorded["candidate"], self._recorded["scores"], strict=True)
        found = {int(index): decoded(data[metric]) for index, data in rows if metric in data}
        return pd.DataFrame.from_dict(found, orient="index").rename_axis("candidate")

    @cached_property
    def _recorded(self) -> pd.DataFrame:
        return analysis.recorded(self.folder, self.description)

    def population(self, generation: int) -> pd.DataFrame:
        """The survivors after a generation (from 1), best first, with their evaluations."""
        generations = sorted(set(self.populations.get("generation", ())))
        if generation not in generations:
            known = f"1 to {generations[-1]}" if generations else "none yet"
            raise UserError(f"no generation {generation}; the run has {known}")
        members = self.populations[self.populations["generation"] == generation]
        return members.drop(columns="generation").merge(self.evaluations, on="candidate", how="left")

    def lineage(self, candidate: int) -> pd.DataFrame:
        """A candidate and all its ancestors, random ones first."""
        return analysis.lineage(self.evaluations, candidate)

    def log(self, candidate: int) -> str:
        """What a candidate printed, and the traceback of its failure, as far as they were kept.

        Args:
            candidate: its number.

        Returns:
            Lines with nothing in them that steers a terminal; empty where nothing was kept.

        Raises:
            UserError: no such candidate.
        """
        from evonas.runs.logs import read_log

        text = read_log(self.folder, candidate)
        if not text:
            self._row(candidate)
        return text

    def build(self, candidate: int, weights: Literal["newest", "search", "final"] = "newest") -> "nn.Module":
        """The network of a candidate in eval mode, with trained weights.

        It takes what the task's `prepare` gives: float tensors (N, *input_shape), standardised.

        Args:
            candidate: its number.
            weights: search: those of the search, kept of the front. final: those of `evonas train`, of its first seed.
                newest: final where there are some.

        Raises:
            UserError: no such candidate; its weights are not kept.
        """
        from evonas.runs.rebuild import rebuild, rebuild_finished

        row = self._row(candidate)
        finished = self.final[(self.final["candidate"] == candidate) & (self.final["status"] == "ok")]
        if weights == "search" or (weights == "newest" and finished.empty):
            return rebuild(self.folder, self.description, row, self._space)
        if finished.empty:
            raise UserError(f"candidate {candidate} was not trained to the end: evonas train {self.folder} {candidate}")
        return rebuild_finished(self.folder, self.description, row, finished.iloc[0], self._space)

    def task(self, overrides: Sequence[str] = ()) -> "Task":
        """The data that the run's config names, loaded again, or of the task that it was loaded with; `splits.test`
        is what the search did not see.

        Args:
            overrides: task.KEY=VALUE, where the data are somewhere else now.

        Raises:
            UserError: the task is the user's own, its data cannot be read, or they are not those of the search.
        """
        from evonas.runs.rebuild import loaded

        return loaded(self.folder, self.description, overrides, self._task)

    def space(self) -> "Space":
        """The space that the run's config names, or that it was loaded with.

        Raises:
            UserError: it is the user's own and was not given, or its genes have changed.
        """
        from evonas.runs.rebuild import space_of

        return space_of(self.description, self._space)

    def verify(self, task: "Task | None" = None) -> "Verdict":
        """Derive every genome, parent, stop decision and population again from the record, and count the parameters of
        the front's and some other networks again.

        Args:
            task: with its data, which must be those of the search.
        """
        from evonas.runs.rebuild import derive, difference_of_data

        verdict = derive(self.folder, self.description, self.evaluations, self._space)
        if task and not verdict.difference and (changed := difference_of_data(self.folder, self.description, task)):
            return replace(verdict, difference=f"the data are not those of the search: {changed}")
        return verdict

    def _row(self, candidate: int) -> "pd.Series[Any]":
        """
        Raises:
            UserError: no such candidate.
        """
        row = self.evaluations[self.evaluations["candidate"] == candidate]
        if row.empty:
            raise analysis.not_evaluated(self.evaluations, candidate)
        return row.iloc[0]

    def _recovered(self) -> Recovered:
        """What is there now, of a live run too."""
        return recover(self.folder, self.description["metrics"], self.description["targets"])

    def _money(self, record: Recovered) -> Money:
        return money(self.folder, self.evaluations, record.rest_usd)
