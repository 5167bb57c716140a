"""What people see of final trainings while they run: lines, or a live table."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from evonas.driver.progress import LINE_EVERY_S, REFRESH_S
from evonas.final.progress import FinalProgress, Watch
from evonas.text import clock


@contextmanager
def watching(console: Console) -> Iterator[Watch]:
    """A watcher for the time of the trainings. Where they end by an error or an interruption, its last screen stays."""
    console.print("starting workers", soft_wrap=True)
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        try:
            yield _Screen(live)
        except BaseException:
            live.transient = live.renderable == ""  # nothing was shown yet
            raise


class _Lines:
    def __init__(self, console: Console) -> None:
        self._console, self._next, self._told = console, 0.0, 0

    def __call__(self, progress: FinalProgress) -> None:
        for note in progress.notes[self._told :]:
            self._console.print(f"note: {note}", soft_wrap=True, markup=False)
        self._told = len(progress.notes)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY_S
            self._console.print(line(progress), soft_wrap=True, markup=False)


class _Screen:
    def __init__(self, live: Live) -> None:
        self._live, self._next, self._lines = live, 0.0, _Notes(live.console)

    def __call__(self, progress: FinalProgress) -> None:
        self._lines(progress)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + REFRESH_S
            self._live.update(Group(Text(line(progress)), _table(progress, self._live.console.height - 4)))


class _Notes:
    """Prints what is to be known once, above a live table."""

    def __init__(self, console: Console) -> None:
        self._console, self._told = console, 0

    def __call__(self, progress: FinalProgress) -> None:
        for note in progress.notes[self._told :]:
            self._console.print(f"note: {note}", soft_wrap=True, markup=False)
        self._told = len(progress.notes)


def line(progress: FinalProgress) -> str:
    """How far all trainings are."""
    (trials, of_trials), (seeds, of_seeds) = progress.counts("trial"), progress.counts("seed")
    parts = [f"{trials}/{of_trials} trials of recipes"]
    if of_seeds:
        parts.append(f"{seeds}/{of_seeds} final trainings")
    stopped = sum(status == "stopped" for status in progress.ended.values())
    failed = sum(status == "failed" for status in progress.ended.values())
    parts += [f"{stopped} stopped early"] * bool(stopped) + [f"{failed} failed"] * bool(failed)
    running = progress.running
    if running:
        job = running[-1]
        parts.append(f"candidate {job.candidate}: epoch {progress.epochs[job.name]}/{job.training.epochs}")
    return ", ".join([*parts, *([progress.doing] if progress.doing else []), f"{clock(progress.elapsed_s)} elapsed"])


def _table(progress: FinalProgress, most: int) -> Table:
    table = Table(title_justify="left")
    for name in ("candidate", "trials", f"best {progress.metric}", "final trainings", "now"):
        table.add_column(name, justify="left" if name == "now" else "right", no_wrap=True, overflow="ellipsis")
    candidates = list(dict.fromkeys(job.candidate for job in progress.jobs.values()))
    for candidate in candidates[: max(1, most)]:
        trials, seeds = progress.counts("trial", candidate), progress.counts("seed", candidate)
        now = [
            f"{job.stage} {job.number}: {progress.epochs[job.name]}/{job.training.epochs}"
            for job in progress.running
            if job.candidate == candidate
        ]
        best = progress.best.get(candidate)
        shown = "" if best is None else f"{best:.4g}"
        of_seeds = f"{seeds[0]}/{seeds[1]}" if seeds[1] else ""
        table.add_row(str(candidate), f"{trials[0]}/{trials[1]}", shown, of_seeds, ", ".join(now))
    return table
