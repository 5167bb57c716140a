"""Finished networks as people read them: what the search said, what they are in the end, and how sure that is."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from evonas import analysis
from evonas.runs import baselines

if TYPE_CHECKING:
    from evonas.runs.run import Run


NOT_NEGATIVE = ("mse", "rmse", "mae", "mase", "smape")
"""Metrics that evonas has for values, which cannot be below 0."""


def final_table(run: "Run", final: pd.DataFrame) -> pd.DataFrame:
    """A row a finished network: its main metric as the search had it, as the recipe was chosen by, and on the test
    examples with intervals, and its latencies.

    Args:
        run: of the networks.
        final: rows of `Run.final`.

    Returns:
        candidate; search, valid and test, which are the main metric; "95 %" of test over examples, "seeds" (95 % of the
        mean over seeds); latency_ms[T] and its interval.
    """
    metric, _ = analysis.main_metric(run.description)
    searched = run.evaluations.set_index("candidate")[metric]
    table = pd.DataFrame({"candidate": final["candidate"]})
    table["search"] = final["candidate"].map(searched)
    for part in ("valid", "test"):
        if f"{part}[{metric}]" in final:
            table[part] = final[f"{part}[{metric}]"]
    table["95 %"] = _span(final, f"test_low[{metric}]", f"test_high[{metric}]")
    if f"seeds_low[{metric}]" in final:
        share, bounded = metric in analysis.shares(run.description), metric in NOT_NEGATIVE
        table["seeds"] = _span(final, f"seeds_low[{metric}]", f"seeds_high[{metric}]", share, bounded)
    for target in run.description["config"]["targets"]:
        if f"latency_ms[{target}]" in final:
            table[f"latency_ms[{target}]"] = final[f"latency_ms[{target}]"]
            table[f"95 % of latency_ms[{target}]"] = _span(
                final, f"latency_low_ms[{target}]", f"latency_high_ms[{target}]"
            )
    maximised = run.description["task"]["metrics"][metric] == "maximize"
    return table.sort_values(["test", "candidate"], ascending=[not maximised, True], ignore_index=True)


def _span(frame: pd.DataFrame, low: str, high: str, share: bool = False, bounded: bool = False) -> list[str]:
    """The two columns as one; of a share what lies between 0 and 1, of what has a lower bound what is not below 0."""
    if low not in frame:
        return [""] * len(frame)
    ends = frame[[low, high]].clip(0 if share or bounded else None, 1 if share else None)
    pairs = ends.itertuples(index=False)
    return ["" if pd.isna(a) else f"{a:.2g}–{b:.2g}" for a, b in pairs]  # noqa: RUF001  # a range


def remarks(run: "Run", final: pd.DataFrame) -> Iterator[str]:
    """What is to be known beside the table, a line each."""
    metric, _ = analysis.main_metric(run.description)
    test = run.description.get("data", {}).get("splits", {}).get("test", {}).get("examples")
    of = f", of {test:,} test examples" if test else ""
    first = final.iloc[0]
    seeds, trials = int(first["seeds"]), json.loads(first["final"])["trials"]
    whose = f"mean of {seeds} seeds, each" if seeds > 1 else "of 1 seed,"
    over = "; seeds: 95 % of the mean over seeds (Student)" if seeds > 1 else ""
    yield (
        f"test: {whose} trained for {int(first['epochs'])} epochs on {first['fit_on'].replace('+', ' and ')}; "
        f"95 %: over examples{of}{over}"
    )
    for line in baselines.in_words(run.description, of_test=True):
        yield f"baseline on the test examples, without a network: {line}"
    if f"valid[{metric}]" in final:
        chosen = "of the best recipe, which was chosen by it, so that it is a little too good"
        yield f"valid: {chosen if trials > 1 else 'of the recipe'}, trained on train alone"
    unsettled = [name for name in final if str(name).startswith("settled[")]
    for name in unsettled:
        loose = int((final[name] == 0).sum())
        if loose:
            target = str(name)[8:-1]
            yield f"{loose} of {len(final)} latencies on {target} did not settle: the machine was busy"
    for row in final[final["message"] != ""].to_dict("records"):
        yield f"candidate {row['candidate']}: {row['message']}"
