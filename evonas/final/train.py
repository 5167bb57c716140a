"""Chosen networks of a run, trained to the end: recipes are tried, the best is trained from several seeds, tested."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pandas as pd

from evonas import analysis
from evonas.config import RuntimeConfig
from evonas.config.final import FinalConfig
from evonas.errors import UserError
from evonas.evaluation.learners import Learner
from evonas.final.choosing import chosen
from evonas.final.frames import network_row, training_row
from evonas.final.latencies import Measure, measuring, where_of
from evonas.final.learning import about_learner, as_reached, own_learner
from evonas.final.options import final_options
from evonas.final.plan import FinalPlan, FinalTraining, best_trial
from evonas.final.progress import FinalProgress, Watch
from evonas.final.serial import SerialTrainings
from evonas.final.servers import device_servers
from evonas.final.work import FinalWork, TeacherWeights
from evonas.runs.rebuild import config_of, space_of
from evonas.runs.run import Run
from evonas.spaces.space import Space
from evonas.store import weights_name
from evonas.store.final import KIND, FinalRecorder, write_final
from evonas.tasks import Task
from evonas.tasks.splitting import are_joinable
from evonas.text import counted


class Trainings(Protocol):
    """Where trainings run."""

    def run(self, jobs: Sequence[FinalTraining], progress: FinalProgress, watch: Watch) -> None:
        """Train all of them; afterwards the recorder has the result of each."""

    def close(self) -> None:
        """End what was started."""


@dataclass(frozen=True, slots=True)
class FinalSearch:
    """What is to be trained, checked.

    Args:
        run: whose networks.
        space, task: of the run, with data.
        plans: of the chosen networks, in the order in which they were chosen.
        final: how.
        runtime: where.
        modules: the user's own.
        reasons: why which network was chosen, a line each.
        learner: of the user's own, by which the search trained; None: evonas's.
    """

    run: Run
    space: Space
    task: Task
    plans: tuple[FinalPlan, ...]
    final: FinalConfig
    runtime: RuntimeConfig
    modules: tuple[ModuleType, ...] = ()
    reasons: tuple[str, ...] = ()
    learner: Learner | None = None

    @property
    def open(self) -> list[FinalPlan]:
        """Plans of networks that are not finished."""
        names = set(self.run.folder.names(KIND))
        return [plan for plan in self.plans if f"{plan.name}.parquet" not in names]

    def in_words(self) -> list[str]:
        """What is going to be done, for people."""
        final, epochs = self.final, self.plans[0].trials()[0].training.epochs
        on = final.fit_on.replace("+", " + ")
        which = ", ".join(f"{plan.candidate}" for plan in self.plans)
        stops = ", stopped early by ASHA" if self.runtime.kind == "ray" and final.processes == 1 else ""
        recipes = "the search's recipe" if final.trials == 1 else f"{final.trials} recipes each{stops}"
        best = "it" if final.trials == 1 else "the best one"
        lines = [
            f"{counted(len(self.plans), 'network')} to the end: {which}",
            *self.reasons,
            f"{recipes}; then {counted(final.seeds, 'training')} with {best} on {on}; {epochs} epochs",
        ]
        if self.learner:
            lines.append(about_learner(final, self.plans[0].config.learner.kind))
        if final.distill:
            teacher = int(_best_of_front(self)["candidate"])
            itself = ", which learns from itself" if teacher in {plan.candidate for plan in self.plans} else ""
            lines.append(f"teacher: candidate {teacher}{itself}, the front's best, with its weights of the search")
        return lines


def prepare_final(
    run: Run,
    rows: pd.DataFrame,
    final: FinalConfig,
    runtime: RuntimeConfig,
    task: Task,
    space: Space | None = None,
    modules: Sequence[ModuleType] = (),
) -> FinalSearch:
    """Check what can be checked before a training starts. Writes nothing.

    Args:
        run: whose networks.
        rows: of its `evaluations`, those that are trained, from `chosen`.
        final: how they are trained.
        runtime: where.
        task: of the run, with its data.
        space: the user's own, where the config names none of evonas.
        modules: the user's own.

    Raises:
        UserError: the run has no networks, or data that cannot be joined are to be.
    """
    if evaluator := run.description.get("evaluator"):
        raise UserError(f"{run.folder} was evaluated by {evaluator}: there is nothing to train its networks with")
    if not len(task.splits.test):
        raise UserError(f"the task {task.spec.name} has no test examples; give some, or a test_fraction")
    if final.fit_on == "train+valid" and not are_joinable(task.splits.train, task.splits.valid):
        raise UserError("these data are streamed from files, which cannot be joined: --set fit_on=train")
    if final.processes > 1 and runtime.kind == "serial":
        raise UserError("processes: several train one network on Ray; give runtime.kind=ray, or processes=1")
    config = config_of(run.folder, run.description)
    if learner := own_learner(config, run.folder):
        final = as_reached(final, config.learner.kind)
    plans = tuple(
        FinalPlan(
            config, final, task, int(row["candidate"]), tuple(map(int, row["genome"])), run.description.get("id", "")
        )
        for _, row in rows.iterrows()
    )
    given = rows[rows["why"] != ""].to_dict("records")
    reasons = tuple(f"candidate {row['candidate']}, {row['role']}: {row['why']}" for row in given)
    own = space_of(run.description, space)
    return FinalSearch(run, own, task, plans, final, runtime, tuple(modules), reasons, learner)


def train(
    run: Run | str | Path,
    candidates: Sequence[int] = (),
    *,
    pick: int | None = None,
    where: Sequence[str] = (),
    overrides: Sequence[str] = (),
    watch: Watch = lambda progress: None,
) -> pd.DataFrame:
    """Train networks of a run to the end, and test each once. The same call again goes on, or does nothing.

    Args:
        run: a run, loaded with the user's own space and task where it has such, or its folder.
        candidates: by number; none: the front.
        pick: so many of the front: the most accurate, the knee, the smallest, as far as noise lets that be told, then
            others between.
        where: conditions that those of the front must meet, e.g. "latency_ms[cpu]<=5".
        overrides: KEY=VALUE: how (epochs=48, trials=8, seeds=3, ...), where (runtime.KEY), with which data (task.KEY).
        watch: called as it goes on.

    Returns:
        A row a network, as of `Run.final`.

    Raises:
        UserError: what is asked for is not there, or somebody else writes to the folder.
        Halted: it had to stop; called again, it goes on.
    """
    run = run if isinstance(run, Run) else Run(run)
    final, runtime, data = final_options(run, overrides)
    task, space = run.task(data), run.space()
    return execute(prepare_final(run, chosen(run, candidates, pick, where), final, runtime, task, space), watch)


def execute(search: FinalSearch, watch: Watch = lambda progress: None, *, take_over: bool = False) -> pd.DataFrame:
    """Train what is not finished; the same search again goes on.

    Args:
        search: from `prepare_final`.
        watch: called as it goes on.
        take_over: also where another search or training holds the folder.

    Returns:
        Rows as of `Run.final` of the chosen networks, trained as this search says.

    Raises:
        UserError: somebody else writes to the folder, or a cluster is not there.
    """
    folder, wanted = search.run.folder, [plan.key for plan in search.plans]
    if search.open:
        with ExitStack() as ends:
            ends.callback(folder.lock(take_over).close)
            trainings = ends.enter_context(closing(_trainings(search)))
            _train(search, trainings, watch)
    found = analysis.final(folder)  # those of this line, be there newer ones of the same networks or not
    return found[found["key"].isin(wanted)].reset_index(drop=True)


def _train(search: FinalSearch, trainings: Trainings, watch: Watch) -> None:
    metric, direction = analysis.main_metric(search.run.description)
    progress = FinalProgress(metric, direction == "maximize")
    recorder, plans = FinalRecorder(search.run.folder), search.open
    trials = {plan.candidate: plan.trials() for plan in plans}
    progress.expect([trial for own in trials.values() for trial in own])
    trainings.run([trial for own in trials.values() for trial in own], progress, watch)
    results = {trial.name: recorder.result(trial.name) or {} for own in trials.values() for trial in own}
    progress.notes += [note for plan in plans if (note := _alike(search, trials[plan.candidate], results))]
    best = {plan.candidate: best_trial(trials[plan.candidate], results, metric, direction) for plan in plans}
    seeds = {plan.candidate: plan.seeds(won.training) if (won := best[plan.candidate]) else [] for plan in plans}
    jobs = [job for own in seeds.values() for job in own]
    progress.expect(jobs)
    trainings.run(jobs, progress, watch)
    results |= {job.name: recorder.result(job.name) or {} for job in jobs}
    for plan, latencies, conditions in _measured(search, plans, progress, watch):
        rows = [training_row(plan, job, results[job.name]) for job in (*trials[plan.candidate], *seeds[plan.candidate])]
        row = network_row(plan, best[plan.candidate], rows, latencies, conditions)
        write_final(search.run.folder, plan.name, [*rows, row])


def _alike(search: FinalSearch, trials: Sequence[FinalTraining], results: Mapping[str, Mapping[str, Any]]) -> str:
    """That recipes made no difference to a learner of the user's own, if they made none."""
    curves = [results[trial.name].get("curve") or [] for trial in trials]
    if not search.learner or len(curves) < 2 or not curves[0] or any(c[:1] != curves[0][:1] for c in curves):
        return ""
    kind = search.plans[0].config.learner.kind
    return (
        f"candidate {trials[0].candidate}: its {len(trials)} recipes gave the same curve: learner {kind} does not read "
        "what they differ in"
    )


def _measured(
    search: FinalSearch, plans: Sequence[FinalPlan], progress: FinalProgress, watch: Watch
) -> Iterator[tuple[FinalPlan, Mapping[str, float], Mapping[str, str]]]:
    """Each plan with what its network takes on the run's targets, as far as they are within reach, and how that was
    measured."""
    config = config_of(search.run.folder, search.run.description)
    progress.doing = "reaching targets"
    watch(progress)
    hires = search.runtime.address != "local"
    with device_servers(config, progress.notes.append, hires) as servers:
        measures = []
        for target in config.targets:
            try:
                measures.append(measuring(search.run, target, search.space, search.task, servers))
            except UserError as reason:
                progress.notes.append(f"not measured on {target}: {reason}")
        for plan in plans:
            progress.doing = f"measuring candidate {plan.candidate}" if measures else ""
            watch(progress)
            began = time.monotonic()
            latencies, conditions = _latencies(plan, measures, progress)
            yield plan, latencies, {**conditions, "measure_s": f"{time.monotonic() - began:.3f}"}
    progress.doing = ""


def _latencies(
    plan: FinalPlan, measures: Sequence[Measure], progress: FinalProgress
) -> tuple[dict[str, float], dict[str, str]]:
    """What a network takes, and on what and how it was measured, as columns and conditions of a row."""
    found: dict[str, float] = {}
    conditions: dict[str, str] = {}
    for measure in measures:
        try:
            for name, own in measure(plan.genome):
                found |= {f"latency_ms[{name}]": own.ms, f"latency_low_ms[{name}]": own.low}
                found |= {f"latency_high_ms[{name}]": own.high, f"settled[{name}]": float(own.settled)}
                described = {"host": where_of(own), **own.conditions}
                conditions |= {f"{key}[{name}]": text for key, text in described.items()}
        except UserError as reason:
            progress.notes.append(f"candidate {plan.candidate}: {reason}")
    return found, conditions


def _trainings(search: FinalSearch) -> Trainings:
    folder = search.run.folder
    device = "cuda" if search.runtime.gpus_per_worker else "cpu"
    work = FinalWork(search.space, search.task, search.final, device, str(folder), _teacher(search), search.learner)
    if search.runtime.kind == "serial":
        return SerialTrainings(work, FinalRecorder(folder))
    if search.final.processes > 1:
        from evonas.final.ray_train import RayTrainTrainings

        return RayTrainTrainings(work, folder, search.runtime, search.final, search.modules)
    from evonas.final.tuning import TuneTrainings  # Ray, for who needs it

    return TuneTrainings(work, folder, search.runtime, search.final, search.modules)


def _best_of_front(search: FinalSearch) -> "pd.Series[Any]":
    metric, direction = analysis.main_metric(search.run.description)
    front = search.run.front()
    if front.empty:
        raise UserError(f"distill: the front of {search.run.folder} is empty, so it has no teacher: distill=0")
    return front.sort_values([metric, "candidate"], ascending=[direction == "minimize", True]).iloc[0]


def _teacher(search: FinalSearch) -> TeacherWeights | None:
    """The front's best network in the main metric, where others are to learn from it.

    Raises:
        UserError: its weights are not there.
    """
    if not search.final.distill:
        return None
    row = _best_of_front(search)
    try:
        kept = search.run.folder.read(weights_name(int(row["candidate"])))
    except FileNotFoundError:
        which = f"candidate {row['candidate']}, the best of the front"
        raise UserError(f"distill: the weights of {which}, are not kept, so it cannot teach: distill=0") from None
    return TeacherWeights(tuple(map(int, row["genome"])), kept)
