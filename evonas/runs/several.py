"""Several run folders as one object."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evonas import analysis
from evonas.errors import UserError
from evonas.runs.run import Run

if TYPE_CHECKING:  # a run is read without torch
    from evonas.spaces.space import Space
    from evonas.tasks import Task


class Runs:
    """Several runs with the same objectives, as one: each table has the column `run`, the name that it was loaded by.

    Raises:
        UserError: there is none, one is named twice, or their objectives differ.
    """

    def __init__(self, folders: Sequence[str | Path], space: "Space | None" = None, task: "Task | None" = None) -> None:
        names = [str(folder) for folder in folders]
        if not names or len(set(names)) < len(names):
            raise UserError(f"load takes each run once, not {', '.join(names) or 'none'}")
        self.runs = {name: Run(folder, space, task) for name, folder in zip(names, folders, strict=True)}
        first, *others = self.runs.values()
        self.objectives, self.signs, self.description = first.objectives, first.signs, first.description
        for name, run in zip(names[1:], others, strict=True):
            if (run.objectives, run.signs) != (self.objectives, self.signs):
                own, those = ", ".join(run.objectives), ", ".join(self.objectives)
                raise UserError(f"{name} has the objectives {own}, {names[0]} has {those}")

    def __repr__(self) -> str:
        return f"Runs({', '.join(self.runs)}: {len(self.evaluations):,} evaluated, front of {len(self.front())})"

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row a evaluated candidate of each run; the columns are those of the Parquet files, behind `run`."""
        return analysis.together({name: run.evaluations for name, run in self.runs.items()})

    @cached_property
    def populations(self) -> pd.DataFrame:
        """The survivors of every generation of each run: run, generation, candidate, rank, crowding."""
        return analysis.together({name: run.populations for name, run in self.runs.items()})

    def front(self) -> pd.DataFrame:
        """The fully trained, feasible candidates that none of any run dominates, best in the first objective first."""
        return analysis.front(self.evaluations, self.objectives, self.signs)
