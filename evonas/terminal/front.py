"""The front of a search for people: what they choose by, how sure it is, and a plot beside it."""

from collections.abc import Iterator, Sequence

import pandas as pd
from rich.console import Console
from rich.markup import escape

from evonas import analysis, figures
from evonas.runs.empty_front import why_empty
from evonas.runs.run import Run
from evonas.terminal.tables import ALIKE, INTERVAL, MEASURED, PROBABILITY, beside, fitting_table
from evonas.text import counted

FEW = 2
"""Networks that are named in a column; of the others it says how many there are."""


def show_front(run: Run, front: pd.DataFrame, console: Console, plot: bool) -> None:
    """The front as a table for people, with a plot of all candidates where the run has two objectives.

    front: rows of `run.front()`.
    """
    if front.empty:
        reason = why_empty(run.evaluations, run.front(), run.folder)
        none = f"the front is empty: {reason or 'no candidate was fully trained within the limits'}"
        met = "no network of the front meets every --where"
        console.print(escape(none) if run.front().empty else met, soft_wrap=True)
        return
    shown, title = for_people(run, chosen_by(run, front)), f"front: {counted(len(front), 'network')}"
    table = fitting_table(shown, title, console, run.objectives)
    if plot and len(run.objectives) > 1:
        console.print(beside(figures.pareto(run, generations=0, front=front), table, console))
    else:
        console.print(table)
    for remark in (*run.remarks(), *_of_final(run, shown)):
        console.print(escape(remark), soft_wrap=True)


def _of_final(run: Run, shown: pd.DataFrame) -> Iterator[str]:
    """What the figures on the test examples are, where there are some."""
    for name in shown:
        if str(name).startswith("test "):
            networks = counted(int(shown[name].notna().sum()), "network")
            yield f"{name}: of {networks} trained to the end, on examples that no search saw; mean over seeds"


def chosen_by(run: Run, front: pd.DataFrame) -> pd.DataFrame:
    """The columns that a person chooses by: objectives, each with its 95 % interval where one is known and with what
    was measured later (`measured.NAME`), how sure the front is, costs, architecture."""
    costs = [name for name in ("params", "macs") if name not in run.objectives]
    known = front.merge(_certainty(run, list(map(str, front))), "left", "candidate")
    sure = [name for name in known if name == "p_front" or str(name).endswith("indistinguishable")]
    objectives = [part for name in run.objectives for part in (name, *analysis.ends(name), *_measured(name))]
    later = run.measured.set_index("candidate").add_prefix(MEASURED).reset_index()
    known = known.merge(later[["candidate", *(name for name in later if name in objectives)]], "left")
    known, tested = _with_final(run, known)
    columns = [
        name for name in ("candidate", *objectives, *tested, *sure, *costs, "generation", "arch") if name in known
    ]
    return known[columns].astype(dict.fromkeys(("params", "macs"), "int64"))


def _with_final(run: Run, known: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The rows with what is known of networks that were trained to the end, and the columns that are new."""
    final = run.final[run.final["status"] == "ok"]
    names = [str(name) for name in final if str(name).startswith(("valid[", "test[", "test_", "seeds_"))]
    if not known["candidate"].isin(final["candidate"]).any():
        return known, []
    return known.merge(final[["candidate", *names]], "left", "candidate"), names


def _certainty(run: Run, known: Sequence[str]) -> pd.DataFrame:
    """What is known of how sure the front is, without columns that the front has itself, and ends that are none."""
    found = run.certainty()
    exact = [end for name, noise in run.drawn.noise.items() if noise == "exact" for end in analysis.ends(name)]
    unknown = (
        [] if run.drawn.known else [name for name in found if str(name).endswith(("p_front", "indistinguishable"))]
    )
    names = {*exact, *unknown, *known} - {"candidate"}
    return found.drop(columns=[name for name in found if name in names]).dropna(axis="columns", how="all")


def for_people(run: Run, chosen: pd.DataFrame) -> pd.DataFrame:
    """What `chosen_by` gives, in 80 characters where two objectives have an interval: each in one column behind
    its objective, and without what else is known of a network.
    """
    for name in run.objectives:
        for value, low, high in ((name, *analysis.ends(name)), _measured(name)):
            if low in chosen:
                text = [_interval(*both) for both in zip(chosen[low], chosen[high], strict=True)]
                chosen.insert(list(chosen.columns).index(low), f"{INTERVAL} of {value}", text)
                chosen = chosen.drop(columns=[low, high])
    chosen = _tested(run, chosen)
    if "p_front" in chosen:
        chosen["p_front"] = chosen["p_front"].round(2)
        chosen["indistinguishable"] = chosen["indistinguishable"].map(_few)
        chosen = chosen.rename(columns={"p_front": PROBABILITY, "indistinguishable": ALIKE})
        if not any(chosen[ALIKE]):
            chosen = chosen.drop(columns=ALIKE)
    learnt = {name for name in chosen if str(name).endswith("_indistinguishable")}
    others = learnt | {"generation", "macs", "arch"} - set(run.objectives)
    return chosen.drop(columns=[name for name in chosen if name in others])


def _tested(run: Run, chosen: pd.DataFrame) -> pd.DataFrame:
    """Of the final figures that on the test examples of the main metric, with its interval in one column behind it."""
    metric, _ = analysis.main_metric(run.description)
    value, low, high = f"test[{metric}]", f"test_low[{metric}]", f"test_high[{metric}]"
    if value in chosen:
        text = [_interval(*both) for both in zip(chosen[low], chosen[high], strict=True)]
        chosen.insert(list(chosen.columns).index(low), f"{INTERVAL} of {value}", text)
        chosen = chosen.rename(columns={value: f"test {metric}"})
    return chosen.drop(columns=[name for name in chosen if str(name).startswith(("valid[", "test_", "seeds_"))])


def _few(candidates: Sequence[int]) -> str:
    more = len(candidates) - FEW
    return ", ".join(map(str, candidates[:FEW])) + (f" +{more}" if more > 0 else "")


def _interval(low: float, high: float) -> str:
    return "" if pd.isna(low) else f"{low:.2g}–{high:.2g}"  # noqa: RUF001  # a range


def _measured(name: str) -> tuple[str, str, str]:
    """The columns of what was measured later, with the ends of its interval."""
    low, high = analysis.ends(name)
    return f"{MEASURED}{name}", f"{MEASURED}{low}", f"{MEASURED}{high}"
