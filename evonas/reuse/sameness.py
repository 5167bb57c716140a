"""Whether the evaluations of another run mean the same as those of a search: genes, data, training, targets."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from evonas.components import Components
from evonas.config import ENDPOINT_KEYS, Config
from evonas.measuring.backends.pytorch import device_name
from evonas.run_identity.comparing import different_key, resolved
from evonas.run_identity.describing import describe
from evonas.store import Folder
from evonas.tasks.data_record.difference import data_difference
from evonas.tasks.data_record.run_json import recorded_data

ONLY_STOPS = {"promote", "stopping", "checkpoints_mb"}
"""Keys of `training` that decide who is stopped and not what is reached; the cutoffs of a search decide that anew."""
NOT_MEASURED = ENDPOINT_KEYS | {"max_remeasurements", "screen"}
"""Keys of a target that say where it is and whom ties are settled with, and not what is measured."""


def refusal(folder: Folder, there: Mapping[str, Any], components: Components) -> str:
    """Why nothing of a run can be re-used, in one line; empty where something can.

    Args:
        folder: of the run.
        there: its run.json.
        components: of the new search.
    """
    here = describe(components)
    for name, difference in _differences(folder, there, here, components):
        if difference:
            hint = "" if name in ("other genes", "another space") else f"; its architectures can: --founders {folder}"
            return f"it has {name}: {difference}{hint}"
    return ""


def _differences(
    folder: Folder, there: Mapping[str, Any], here: Mapping[str, Any], components: Components
) -> Iterator[tuple[str, str]]:
    old, new = resolved(there["config"]), resolved(here["config"])
    then, now = recorded_data(there, folder), components.data
    same_data = bool(then and now)

    def compare(key: str, *leave_out: str) -> str:
        return different_key(_without(old[key], leave_out), _without(new[key], leave_out), f"{key}.")

    yield "other genes", different_key({"space": there["space"]}, {"space": here["space"]})
    yield "another space", compare("space")
    yield "other data", data_difference(then, now) if then and now else ""
    yield "another task", compare("task", *(["path"] if same_data else []))
    yield "another task", different_key({**there["task"], "name": ""}, {**here["task"], "name": ""}, "task: ")
    yield "another training", compare("training", *ONLY_STOPS)
    yield "another supernet", different_key({"supernet": there.get("supernet")}, {"supernet": here.get("supernet")})
    yield "another learner", compare("learner")
    if there["evaluator"] is not None:  # an earlier evonas did not say
        yield "another evaluator", different_key({"evaluator": there["evaluator"]}, {"evaluator": here["evaluator"]})


def _target(description: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What decides the numbers of a target: its section, and the table that they come from."""
    section = _without(description["config"]["targets"][name], NOT_MEASURED)
    return {**section, "from": description.get("tables", {}).get(name, "measured")}


def _without(section: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in section.items() if key not in set(keys)}


def other_targets(there: Mapping[str, Any], components: Components) -> dict[str, str]:
    """Target -> in what it is not the one of that name in another run, of those that the search measures on.

    Args:
        there: run.json of the run.
        components: of the search.
    """
    here, found = describe(components), dict[str, str]()
    for name in components.objectives.targets:
        if name not in there["targets"]:
            found[name] = f"nothing was measured on {name} there"
            continue
        old, new = (_target(one, name) for one in (there, here))
        if difference := different_key(old, new, f"target {name}: "):
            found[name] = difference
    return found


def device_here(config: Config, target: str) -> str:
    """The model of the device that a target is on this machine; empty where another machine may measure.

    Args:
        config: of the search.
        target: its name.
    """
    section = config.targets[target]
    if section.remote or config.runtime.address != "local":
        return ""
    if section.device == "cpu":
        return device_name(torch.device("cpu"))
    cuda = section.device.startswith("cuda") and torch.cuda.is_available()
    return device_name(torch.device(section.device)) if cuda else ""
