"""Whether a search may use a run folder: one that is new, or holds this search and its data."""

from collections.abc import Mapping
from typing import Any

from evonas.components import Components
from evonas.config import Config
from evonas.config.recipe import OF_THE_SEARCH
from evonas.errors import UserError
from evonas.run_identity.as_begun import as_begun
from evonas.run_identity.comparing import different_key, resolved
from evonas.run_identity.describing import describe
from evonas.spaces.space import Space
from evonas.store import Folder, is_new, is_run, read_run
from evonas.tasks.data_record.difference import data_difference
from evonas.tasks.data_record.run_json import recorded_data


def check_run(folder: Folder, components: Components) -> None:
    """Make sure that this search may use the folder: it is new, or holds this search.

    Raises:
        UserError: it holds another search (names the first difference), one with other data, or something else.
    """
    if not _is_there(folder):
        return
    recorded, description = read_run(folder), describe(components)
    config, path = recorded["config"], data_path(components.config)
    there = {**config, "task": {**config["task"], "path": path}} if path and config["task"].get("path") else config
    difference = different_key(resolved(there), resolved(description["config"]))
    if moved_data(folder, recorded, components):
        description["task"]["name"] = recorded["task"]["name"]  # which may be that of the file
    elif not difference:
        difference = different_key(resolved(config), resolved(description["config"]))
    then = recorded_data(recorded, folder)
    if not difference and then and components.data and (changed := data_difference(then, components.data)):
        raise UserError(f"{folder} was searched with other data: {changed}; give the data of then, or another --run")
    for key in ("space", "task", "tables", "evaluator"):
        if not difference and recorded[key] not in (None, description[key]):
            difference = f"{key} is {recorded[key]} there, {description[key]} here"
    if not difference and recorded.get("supernet") != description.get("supernet"):
        difference = f"supernet is {recorded.get('supernet')} there, {description.get('supernet')} here (SHA-256)"
    if difference:
        raise _another(folder, difference)


def check_config(folder: Folder, config: Config, space: Space) -> None:
    """Make sure of what can be known without the data: no search of this config is sure to be refused the folder.

    Args:
        folder: Of the run, which need not be there.
        config: The whole one, its founders as a list.
        space: That of the config.

    Raises:
        UserError: It holds another search, something else, or a run.json that is damaged.
        Exception: It cannot be read from here; whatever its store raises then.
    """
    if not _is_there(folder):
        return
    recorded = read_run(folder)
    then = recorded["config"]
    wanted = as_begun(config, then).model_dump(mode="json")
    own = config.training.model_fields_set | {*OF_THE_SEARCH}
    wanted["training"] |= {key: value for key, value in then["training"].items() if key not in own}  # a task's recipe
    if wanted["task"].get("path") and then["task"].get("path"):  # the same data may be elsewhere
        wanted["task"]["path"] = then["task"]["path"]
    difference = different_key(resolved(then), resolved(wanted))
    if not difference and recorded["space"] != (signature := space.signature()):
        difference = f"space is {recorded['space']} there, {signature} here"
    if difference:
        raise _another(folder, difference)


def _is_there(folder: Folder) -> bool:
    """Whether a run is there. Raises UserError where something else is."""
    if is_run(folder):
        return True
    if not is_new(folder):
        raise UserError(f"{folder} is neither empty nor a run folder; give another --run")
    return False


def _another(folder: Folder, difference: str) -> UserError:
    return UserError(f"{folder} holds another search: {difference}; give another --run, or the config of that run")


def moved_data(folder: Folder, recorded: Mapping[str, Any], components: Components) -> str:
    """Where the data of a run were when it began, if they are elsewhere now and still the same; else an empty text.

    Args:
        folder: Of the run.
        recorded: Its run.json.
        components: Of the search that is to go on with it.

    Raises:
        UserError: The run.json says something else of the data than evonas writes.
    """
    path, before = data_path(components.config), recorded["config"]["task"].get("path")
    then = recorded_data(recorded, folder)
    if not (path and before and then and components.data) or path == before:
        return ""
    return "" if data_difference(then, components.data) else str(before)


def data_path(config: Config) -> str | None:
    """`task.path`, where the task has one."""
    path = config.model_dump(mode="json")["task"].get("path")
    return path if isinstance(path, str) else None


def recorded_training(folder: Folder) -> Mapping[str, Any] | None:
    """The section `training` of the run in a folder; None where there is none."""
    training: Mapping[str, Any] | None = read_run(folder)["config"].get("training") if is_run(folder) else None
    return training
