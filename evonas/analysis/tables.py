"""How far a latency table is from the device."""

from collections.abc import Sequence

import pandas as pd


def mismatch(frame: pd.DataFrame, measured: pd.DataFrame, targets: Sequence[str]) -> pd.DataFrame:
    """How far a table is from the device on the networks of the front: target, networks, mean_error, kendall_tau.

    mean_error: of the absolute differences, as a share of what was measured. kendall_tau: between the order that the
    table gives and the one measured; 1 is the same order (tau-b, which allows for ties).
    """
    rows = []
    for target in targets:
        column = f"latency_ms[{target}]"
        if column not in measured:
            continue
        both = measured[["candidate", column]].dropna().merge(frame[["candidate", column]], on="candidate")
        real, table = both[f"{column}_x"], both[f"{column}_y"]
        error = float(((table - real).abs() / real).mean())
        tau = float(real.corr(table, method="kendall")) if len(both) > 1 else float("nan")
        rows.append({"target": target, "networks": len(both), "mean_error": error, "kendall_tau": tau})
    return pd.DataFrame(rows, columns=["target", "networks", "mean_error", "kendall_tau"])
