"""What is to be known beside a front: how its numbers came about, and how far they are to be believed."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from evonas import analysis
from evonas.runs import baselines
from evonas.text import counted

INCLUDES = {
    "prepare": "what is shipped, the network with the task's `prepare`",
    "network": "the network alone, without the task's `prepare`",
}

WORDS = {
    "scores": "the validation examples, the same ones for all networks",
    "mixed": "the validation examples, the same ones for all networks but those that were recorded without scores",
    "binomial": "the errors, of each network by itself, since the run was recorded without scores of its examples",
    "interval": "latencies from their intervals",
}
"""What is drawn, by how its noise is known."""
NEAR, NAMED = 0.1, 3
"""From which probability a candidate off the front is worth a word, and how many are named."""


def remarks(
    description: Mapping[str, Any],
    evaluations: pd.DataFrame,
    measured: pd.DataFrame,
    folder: object,
    drawn: analysis.Drawn | None = None,
    unmeasured: int = 0,
) -> list[str]:
    """Lines for people, to be shown beside the front of a run.

    Args:
        description: its run.json.
        evaluations: its rows.
        measured: what was measured after it, as `Run.measured`.
        folder: of the run.
        drawn: as `Run.drawn`, for how sure the front is.
        unmeasured: how many of the front are still to be measured to the end.
    """
    return [
        *_included(description),
        *([in_words_unmeasured(unmeasured)] if unmeasured else []),
        *_not_inherited(evaluations),
        *_unsettled(description, evaluations, folder),
        *_again(description, evaluations, measured),
        *(f"baseline, without a network: {line}" for line in baselines.in_words(description)),
        *_intervals(description, drawn),
        *(_sure(description, evaluations, drawn) if drawn else ()),
    ]


def _not_inherited(evaluations: pd.DataFrame) -> Iterator[str]:
    """Networks that a supernet had not all weights for, of those that it judged."""
    found = {
        candidate: conditions["not_inherited"]
        for candidate, conditions in evaluations.reindex(columns=["candidate", "conditions"]).itertuples(index=False)
        if isinstance(conditions, dict) and "not_inherited" in conditions
    }
    if found:
        candidate = max(found, key=lambda each: (_percent(found[each]), -each))
        yield (
            f"the supernet had not all weights of {len(found):,} of {counted(len(evaluations), 'network')}, and the "
            f"rest were as built; candidate {candidate} lacked most ({found[candidate]}). If the space's build has "
            "changed since, make the supernet anew"
        )


def _percent(lacking: str) -> float:
    share = re.search(r"([\d.]+)%", lacking)
    return float(share[1]) if share else 0.0


def in_words_unmeasured(count: int) -> str:
    """What is still to be measured of a front, in one line.

    Args:
        count: networks.
    """
    return (
        f"{counted(count, 'network')} of the front {'is' if count == 1 else 'are'} not measured to the end yet: that "
        "is done when the search ends, or by its same line again"
    )


def included(description: Mapping[str, Any]) -> dict[str, str]:
    """Target -> what its latencies are of: "prepare" (the network with the task's `prepare`) or "network"."""
    if description["evaluator"]:
        return {}
    targets = description["config"]["targets"]
    return {name: targets[name]["includes"] for name in description["targets"]}


def _included(description: Mapping[str, Any]) -> Iterator[str]:
    found = included(description)
    for includes, words in INCLUDES.items():
        if names := [name for name, own in found.items() if own == includes]:
            yield f"latency on {', '.join(names)}: of {words}"


def _unsettled(description: Mapping[str, Any], evaluations: pd.DataFrame, folder: object) -> Iterator[str]:
    for target, (count, known) in analysis.unsettled(evaluations, description["targets"]).items():
        if count:
            within = description["config"]["targets"][target]["within"]
            yield (
                f"{count:,} of {known:,} latencies on {target} did not settle within {100 * within:g} %; on a quieter "
                f"machine: evonas measure {shlex.quote(str(folder))} --front"
            )
        if short := int(analysis.screened(evaluations, target).sum()):
            yield (
                f"{short:,} of {len(evaluations):,} candidates were measured on {target} for a moment only, within a "
                "wider interval: nothing hung on it"
            )


def _again(description: Mapping[str, Any], evaluations: pd.DataFrame, measured: pd.DataFrame) -> Iterator[str]:
    """How what was measured later compares with the rows; with tables, the command that searched says it."""
    targets = [target for target in description["targets"] if target not in description["tables"]]
    for row in analysis.mismatch(evaluations, measured, targets).to_dict("records"):
        if row["networks"]:
            tau = row["kendall_tau"]
            order = "" if pd.isna(tau) else f"; Kendall tau of the two orders {tau:.2f}"
            yield (
                f"measured again on {row['target']}: {counted(row['networks'], 'network')}, on average "
                f"{100 * row['mean_error']:.1f} % from what the search recorded{order}"
            )


def _intervals(description: Mapping[str, Any], drawn: analysis.Drawn | None) -> Iterator[str]:
    """Which intervals there are of what was learnt, and of which numbers there is none."""
    if description["evaluator"]:
        return
    learnt = [o["column"] for o in description["objectives"] if o["column"] in description["task"]["metrics"]]
    shares = analysis.shares(description)
    scored = [name for name, noise in drawn.noise.items() if noise == "scores"] if drawn else []
    together = analysis.block(description)
    overlapping = f", {together:,} neighbours together, for they overlap" if together > 1 else ""
    if known := [name for name in learnt if name in shares]:
        examples = description["validation"]["examples"]
        yield f"95 % intervals of {', '.join(known)}: binomial, of {examples:,} validation examples{overlapping}"
    if known := [name for name in learnt if name in scored and name not in shares]:
        examples = description["validation"]["examples"]
        yield f"95 % intervals of {', '.join(known)}: bootstrap, of {examples:,} validation examples{overlapping}"
    if none := [name for name in learnt if name not in shares and name not in scored]:
        plural = len(none) > 1
        yield (
            f"{', '.join(none)} {'have' if plural else 'has'} no interval, and who is on the front by chance is not "
            f"known: {_why_none(none[0], description)}"
        )


def _why_none(name: str, description: Mapping[str, Any]) -> str:
    validation = description.get("validation")
    if not validation:
        return "the run did not record its validation examples"
    if "reductions" not in validation:
        return "the run was recorded without the scores of its examples"
    if name not in validation["reductions"]:
        return "it is no mean of one number an example"
    return "not all of its networks have scores"


def _alike(drawn: analysis.Drawn) -> Iterator[str]:
    """When two networks cannot be told apart, in words."""
    names = {noise: [name for name, own in drawn.noise.items() if own == noise] for noise in drawn.noise.values()}
    if learnt := [name for noise in ("scores", "mixed", "binomial") for name in names.get(noise, ())]:
        yield f"the 95 % interval of their difference in {' and in '.join(learnt)} holds 0"
    if measured := names.get("interval"):
        yield f"their intervals of {' and of '.join(measured)} overlap"
    if exact := names.get("exact"):
        yield f"{' and '.join(exact)} {'is' if len(exact) == 1 else 'are'} the same"


def _sure(description: Mapping[str, Any], evaluations: pd.DataFrame, drawn: analysis.Drawn) -> Iterator[str]:
    """What the probability to be on the front is of, and who is off it within the noise."""
    of = [WORDS[noise] for noise in dict.fromkeys(drawn.noise.values()) if noise in WORDS]
    if not of or not drawn.known or not len(drawn.candidates):
        return
    draws = f"{drawn.draws:,} draws of {', and of '.join(of)}"
    yield f"how sure the front is: p(front) is how often no other is better in everything, in {draws}"
    yield f"networks are alike, cannot be told apart, where {', and '.join(_alike(drawn))}"
    objectives = [objective["column"] for objective in description["objectives"]]
    front = analysis.front(evaluations, objectives, drawn.signs)["candidate"]
    off = analysis.p_front(drawn).drop(front).sort_values(ascending=False, kind="stable")
    near = [f"candidate {index} (p {p:.2f})" for index, p in off[off >= NEAR].items()]
    if near:
        more = f" and {len(near) - NAMED} more" if len(near) > NAMED else ""
        yield f"off the front within the noise: {', '.join(near[:NAMED])}{more}"
