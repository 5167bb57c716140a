"""What a search says before it starts: what was guessed of data and training, and what is wrong with a record."""

from collections.abc import Iterator

from evonas.components import Components
from evonas.config import Config, TrainingConfig, recipe
from evonas.machine import too_many
from evonas.objectives.metrics import SCORES
from evonas.run_identity.checking import data_path, moved_data
from evonas.store import Folder, has_own_description, is_run, read_run, recover
from evonas.supernet.file import other_recipe


def start_notes(wanted: Config, components: Components, folder: Folder) -> Iterator[str]:
    """A sentence for each thing that people should know of a search.

    Args:
        wanted: the config as it is given, without what the task recommends.
        components: the parts of the search.
        folder: of the run.
    """
    yield from components.data.notes if components.data else ()
    yield from components.space.task_notes(components.spec) if components.task else ()
    if advised := recipe.recommended(wanted, components.config):
        yield f"the config leaves to the task: training: {{{recipe.in_words(advised)}}}"
    yield from _scores_as_objectives(components)
    if components.supernet:
        yield f"supernet {components.config.training.supernet}: {components.supernet.in_words()}"
        if other := other_recipe(components.supernet, components.config.training):
            yield f"the networks of that audit were trained otherwise than those of this search: {other}"
    yield from _of_record(folder, components)
    yield from _checkpoints(folder, components.config.training)
    yield from _threads(components.config)


def _of_record(folder: Folder, components: Components) -> Iterator[str]:
    """What is to be known of a run that is to go on: where its data are, and what is wrong with its record."""
    if not is_run(folder):
        return
    if not has_own_description(folder):
        yield f"{folder}/run.json is damaged or lost; its copy in starts/0001.json takes its place"
    if before := moved_data(folder, read_run(folder), components):
        now = data_path(components.config)
        yield f"the data are those of the search, which was begun with task.path {before} and goes on with {now}"
    if components.supernet:
        before, place = read_run(folder)["config"]["training"].get("supernet"), components.config.training.supernet
        if before != place:
            yield f"the supernet is that of the search, which was begun with {before} and goes on with {place}"
    record = recover(folder, components.objectives.metrics, components.objectives.targets, salvage=True)
    if record.damage:
        yield (
            f"{folder}/{record.damage.name} {record.damage.what}; going on from generation {record.generations} and "
            f"{len(record.rows)} candidates after it; copies of what does not count are kept in {folder}/damaged"
        )
    elif record.torn:
        yield f"the journal of {folder} ends in half a line, as a crash leaves it; the rest is intact"


def _scores_as_objectives(components: Components) -> Iterator[str]:
    """What an objective is worth that is only a guess."""
    for name in components.objectives.names:
        if name in SCORES:
            yield (
                f"objective {name} is a guess at what an untrained network could learn, and grows with its size: "
                f"beside a cost it finds the largest that is allowed; training.before: {name} is the place for it"
            )


def _threads(config: Config) -> Iterator[str]:
    """Threads of a training that this machine has no cores for, where it is the one that trains."""
    here = config.runtime.kind == "serial" or config.runtime.address == "local"
    if here and (why := too_many(config.training.threads)):
        yield f"training.threads: {why}, which makes trainings slower"


def _checkpoints(folder: Folder, training: TrainingConfig) -> Iterator[str]:
    """What pausing at rungs costs in space and transfer."""
    if training.stopping != "pause":
        return
    each = {"sgd": 8, "adamw": 12, "muon": 12}[training.optimizer] + 4 * bool(training.average or training.ema)
    epochs = ", ".join(map(str, filter(None, training.rungs)))
    yield (
        f"training is paused at epochs {epochs}; a checkpoint has {each} bytes a parameter, comes from a worker and "
        f"goes to one; all of them take {training.checkpoints_mb:,.0f} MB at most in {folder}/checkpoints "
        "(training.checkpoints_mb)"
    )
