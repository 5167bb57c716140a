"""What a report says in words: what was searched, what it cost, which networks one would take, what went wrong."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from evonas import analysis
from evonas.inputs import from_plain, in_words
from evonas.objectives.metrics import METRICS
from evonas.objectives.promotion import went_on
from evonas.records import Status
from evonas.runs.run import Run
from evonas.spaces import SPACES
from evonas.store.columns import described
from evonas.text import figures, in_usd

MESSAGES = 5
SHORT = {"params": "", "macs": "an example", "settled": "", "remeasured": ""}  # units where the name says the rest
NOUNS: dict[str, str] = {
    Status.OK: "fully trained",
    Status.STOPPED: "stopped early",
    Status.INFEASIBLE: "over a limit",
    Status.FAILED_BUILD: "could not be built",
    Status.FAILED_DIVERGED: "diverged",
    Status.FAILED_OOM: "ran out of memory",
    Status.FAILED_TIMEOUT: "over the deadline",
    Status.FAILED_CRASH: "crashed",
    Status.FAILED_ERROR: "failed with an error",
}


def summary(run: Run, front: pd.DataFrame) -> list[str]:
    """Paragraphs of the report: what was searched, what it cost, what was found, how far that is to be believed."""
    remarks = [f"{line[:1].upper()}{line[1:]}." for line in run.remarks()]
    return [_searched(run.description), _cost(run.evaluations), *_money(run), _found(run, front), *remarks]


def _searched(description: Mapping[str, Any]) -> str:
    config, task = description["config"], description["task"]
    shape, outputs = in_words(from_plain(task["input"])), " x ".join(map(str, task["output_shape"]))
    bounds = [f"{limit['column']} {limit['is']} {limit['bound']:,.6g}" for limit in limits(description)]
    within = f", within {_and(bounds)}" if bounds else ""
    return (
        f"Networks of the space {config['space']['kind']} for {task['name']} (input {shape}, {outputs} "
        f"output{'' if outputs == '1' else 's'}), {_aims(description)}{within}. Bred by "
        f"{config['strategy']['kind']} in generations of {config['schedule']['generation']}, seed {config['seed']}; "
        f"at most {config['training']['epochs']} epochs of training each."
    )


def _aims(description: Mapping[str, Any]) -> str:
    columns = {sign: [o["column"] for o in description["objectives"] if o["sign"] == sign] for sign in (1, -1)}
    verbs = {1: "minimising", -1: "maximising"}
    return _and([f"{verbs[sign]} {_and(names)}" for sign, names in columns.items() if names])


def _cost(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "No candidate has been evaluated yet."
    counts = _and([f"{row['count']:,} {row['name']}" for row in outcomes(frame)])
    gone = len(went_on(zip(frame["operator"], frame["parents"], strict=True)))
    paused = f" {gone:,} of those stopped early were paused, and went on as candidates of their own." if gone else ""
    training, measuring = frame["train_s"].sum(), frame["measure_s"].sum()
    saved_s = 3600 * analysis.outcomes(frame)["saved_hours"].sum()
    saved = f"; {duration(saved_s)} of measuring was saved, for it was known from before" if saved_s else ""
    hosts = len({conditions["host"] for conditions in frame["conditions"] if "host" in conditions})
    where = f" on {hosts} host{'' if hosts == 1 else 's'}" if hosts else ""
    evaluated = f"{len(frame):,} candidate{' was' if len(frame) == 1 else 's were'} evaluated"
    return (
        f"{evaluated}: {counts}. They took {duration(training)} of training and {duration(measuring)} of measuring, "
        f"summed over the workers{where}, and {frame['epochs'].sum():,} epochs{_when(frame)}{saved}.{paused}"
    )


def _money(run: Run) -> list[str]:
    """What it cost, a paragraph; none where there is nothing to say."""
    money = run.money
    if not money.text:
        return []
    text = f"{money.text[:1].upper()}{money.text[1:]}"
    if money.candidates_usd is None:
        return [f"{text}."]
    spent = [usd for usd in run.costs()["spent_usd"] if not pd.isna(usd)]
    parts, rest = ", ".join(in_usd(round(usd, 4)) for usd in spent), round((money.usd or 0) - sum(spent), 4)
    tail = f", and {in_usd(rest)} after the last row of each start" if rest > 0 else ""
    by_generation = f" By generation: {parts}{tail}." if len(spent) > 1 else ""
    return [
        f"{text}; candidates were in work for {in_usd(round(money.candidates_usd, 4))} of it, the rest went to nodes "
        f"that started, waited, measured or led the others.{by_generation}"
    ]


def _when(frame: pd.DataFrame) -> str:
    began = frame["started_at"][frame["started_at"] > 0]
    if began.empty:
        return ""
    first, last = (datetime.fromtimestamp(at, UTC) for at in (began.min(), frame["finished_at"].max()))
    return f", from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def _found(run: Run, front: pd.DataFrame) -> str:
    if front.empty:
        return "The front is empty: no candidate was fully trained within the limits."
    if len(front) == 1:
        return f"The front is one network, candidate {front['candidate'].iloc[0]}: no other is better in any objective."
    spans = [f"{name} from {figures(front[name].min())} to {figures(front[name].max())}" for name in run.objectives]
    return f"The front has {len(front):,} networks, none of which is better than another in everything: {_and(spans)}."


def outcomes(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """How the candidates were evaluated, most frequent first; of failures with their most frequent messages."""
    found = []
    for status, count in frame["status"].value_counts().items():
        messages = frame["message"][(frame["status"] == status) & (frame["message"] != "")]
        texts = messages.str.slice(0, 400).value_counts().head(MESSAGES)
        found.append(
            {
                "status": status,
                "name": NOUNS.get(str(status), str(status)),
                "count": int(count),
                "messages": [{"text": str(text), "count": int(n)} for text, n in texts.items()],
                "kinds": int(messages.nunique()),
            }
        )
    return found


def axes(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every number that can be an axis, the objectives first: column, unit, better (-1 less, 1 more, 0 neither)."""
    better = {objective["column"]: -objective["sign"] for objective in description["objectives"]}
    for metric, direction in description["task"]["metrics"].items():
        better.setdefault(metric, 1 if direction == "maximize" else -1)
    columns = [*(o["column"] for o in description["objectives"]), *description["metrics"]]
    return [
        {"column": column, "unit": _unit(column), "better": better.get(column, _direction(column))}
        for column in dict.fromkeys(columns)
    ]


def _unit(column: str) -> str:
    name = column.partition("[")[0]
    if name in SHORT:
        return SHORT[name]
    return described(column).unit


def _direction(column: str) -> int:
    metric = METRICS.get(column.partition("[")[0])
    return 0 if metric is None else 1 if metric.direction == "maximize" else -1


def limits(description: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for limit in description["config"]["limits"]:
        column = f"{limit['metric']}[{limit['target']}]" if limit["target"] else limit["metric"]
        least = limit["at_most"] is None
        bound = limit["at_least"] if least else limit["at_most"]
        found.append({"column": column, "is": "≥" if least else "≤", "bound": bound})
    return found


def command(run: Run) -> dict[str, str]:
    """What exports a network of the front: a shell's line, before and after the candidate's number; what it makes."""
    own = run.description["config"]["space"]["kind"] not in SPACES
    yours = " Put in the module that registers your space." if own else ""
    return {
        "before": f"evonas export {shlex.quote(str(run.folder))} ",
        "after": " --import your_module" if own else "",
        "log": f"evonas log {shlex.quote(str(run.folder))} ",
        "note": "To be run in the folder where the report was made. Writes one file, which torch.export.load reads "
        f"without evonas; any batch size.{yours}",
    }


def duration(seconds: float) -> str:
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} seconds"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
