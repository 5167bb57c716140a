"""A search as one call."""

import warnings
from contextlib import nullcontext
from pathlib import Path

from evonas.driver.loop import Watch
from evonas.driver.progress import shown
from evonas.records import TaskSpec
from evonas.reuse.architectures import Architectures
from evonas.runs.empty_front import why_empty
from evonas.runs.run import Run
from evonas.spaces.space import Space
from evonas.start.executing import execute
from evonas.start.prepared import Source
from evonas.start.preparing import prepare
from evonas.tabular import EvaluatorFactory
from evonas.tasks import Task


def search(
    config: Source,
    *,
    space: Space | None = None,
    task: Task | TaskSpec | None = None,
    evaluator: EvaluatorFactory | None = None,
    run: str | Path | None = None,
    from_run: str | Path | None = None,
    founders: Architectures | None = None,
    watch: Watch = lambda search, evaluation: None,
    progress: bool = True,
) -> Run:
    """Run a search to its end, or go on with the one in the run folder. Warns where it ends with an empty front.

    Args:
        config: a YAML file or the same as a mapping.
        space: your own, in the place of the config's section.
        task: your own, in the place of the config's section; with an evaluator, what it says of itself will do.
        evaluator: in the place of measuring and training, e.g. `evonas.tabular.Tabular`.
        run: the folder, or a URL such as s3://bucket/run; default `runs/NAME-FINGERPRINT`.
        from_run: an earlier run of the same space, data and training, whose evaluations are re-used.
        founders: architectures that are evaluated first, as mappings, a JSON, YAML or Parquet file of them, or a run,
            whose front they are then; in the place of the config's.
        watch: called with the search and each evaluated candidate.
        progress: show how far it is, in one line on the standard error or below a notebook's cell, and what fails
            again and again.

    Raises:
        UserError: the config is wrong, the folder holds another search, or nothing of `from_run` can be re-used.
        Halted: the search had to stop; called again, it goes on.
    """
    prepared = prepare(
        config, space=space, task=task, evaluator=evaluator, run=run, from_run=from_run, founders=founders
    )
    for note in prepared.notes:
        warnings.warn(note, stacklevel=2)
    with shown(watch) if progress else nullcontext(watch) as watcher:
        execute(prepared, watch=watcher)
    found = Run(prepared.folder, prepared.components.space)
    if why := why_empty(found.evaluations, found.front(), found.folder):
        warnings.warn(why, stacklevel=2)
    return found
