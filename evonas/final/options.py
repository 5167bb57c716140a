"""What the command line sets for final trainings: how they are done, where, and where the data are now."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evonas.config import RuntimeConfig
from evonas.config.final import FinalConfig
from evonas.config.loading import overridden
from evonas.config.messages import validated
from evonas.store import read_starts

if TYPE_CHECKING:
    from evonas.runs.run import Run


def final_options(run: "Run", overrides: Sequence[str]) -> tuple[FinalConfig, RuntimeConfig, list[str]]:
    """Sections from KEY=VALUE.

    Args:
        run: whose last start says where trainings run, unless `runtime.KEY=VALUE` says otherwise.
        overrides: of the command line; what has no section says how networks are trained.

    Returns:
        How, where, and the overrides of the section `task`.

    Raises:
        UserError: a key or value is wrong.
    """
    groups: dict[str, list[str]] = {"final": [], "runtime": [], "task": []}
    for override in overrides:
        section = override.partition("=")[0].partition(".")[0]
        groups[section if section in ("runtime", "task") and "." in override.partition("=")[0] else "final"].append(
            override
        )
    final = overridden({"final": {}}, [f"final.{override}" for override in groups["final"]], "final")
    last = (read_starts(run.folder) or [{}])[-1].get("runtime", run.description["config"].get("runtime", {}))
    runtime = overridden({"runtime": last}, groups["runtime"], "runtime")
    return validated(FinalConfig, final, "train"), validated(RuntimeConfig, runtime, "runtime"), groups["task"]
