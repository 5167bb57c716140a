"""`EvolutionSearcher`: what Ray Tune calls, at the times at which it does."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ray.tune.search import Searcher
from ray.tune.utils.util import unflatten_dict  # type: ignore[attr-defined]  # from a private module of Ray's

from evonas.errors import UserError
from evonas.spaces.space import Space
from evonas.strategies import Exhausted
from evonas.tune.aims import Aims, Limits, aims
from evonas.tune.configs import Architectures, Configs, Parameters, parameters_of
from evonas.tune.evolution import Completed, Evolution, Failed, Suggested
from evonas.tune.front import FrontTrial, front_of, non_dominated
from evonas.tune.settings import Settings, settings
from evonas.tune.state import State, check_same, from_data, read, to_data, write

POINT = "point-"
"""How points are called that were evaluated elsewhere, before their number."""
NO_SPACE = "EvolutionSearcher has no space: give param_space to the Tuner, or space= here"
NO_SPACE_AGAIN = "param_space holds objects of your own, which the state of a search does not: give it to Tuner.restore"

log = logging.getLogger(__name__)


class EvolutionSearcher(Searcher):
    """NSGA-II, or another strategy, as a search algorithm of Ray Tune.

    A trial sees what has ended when it is suggested. One that raises, or whose result lacks a metric or has one that is
    no finite number, has failed: it is never compared. A config is suggested once; where there is no new one the search
    is finished.

    Args:
        metric: what trials report, one or several; `TuneConfig` may name a single one instead.
        mode: "min" or "max", for each metric.
        limits: metric -> {"at_most": number}, {"at_least": number} or both. A trial over a limit is worse than any that
            is not, and not on the front. Metrics that are only limited need not be in `metric`.
        strategy: one of `STRATEGIES`.
        space: domains as in `param_space`, where that is not given to the `Tuner`; or a `Space`, whose readable
            architecture, as nested dicts, is what a trial gets.
        levels: of a continuous domain, at least, evenly spread on its own scale.
        seed: of the search: the same seed and the same results in the same order give the same configs.
        options: of the strategy, e.g. `population=24`.

    Raises:
        UserError: an argument is wrong; says what would be right.
    """

    CKPT_FILE_TMPL = "searcher-state-{}.json"

    def __init__(
        self,
        metric: str | Sequence[str] | None = None,
        mode: str | Sequence[str] | None = None,
        *,
        limits: Limits | None = None,
        strategy: str = "nsga2",
        space: Space | Mapping[str, Any] | None = None,
        levels: int = 64,
        seed: int = 0,
        **options: Any,
    ) -> None:
        if (metric is None) != (mode is None):
            raise UserError("metric and mode: give both, or neither and name them in TuneConfig")
        self._settings: Settings = settings(limits, strategy, options, levels, seed)
        self._aims: Aims | None = None
        self._configs: Configs | None = None
        self._evolution: Evolution | None = None
        self._restored: State | None = None
        self._latest: dict[str, dict[str, float]] = {}  # trial in work -> the last that it reported
        self._given = space is not None
        super().__init__()  # which looks at no more than one metric
        if metric is not None and mode is not None:
            self._aim(metric, mode)
        if isinstance(space, Space):
            self._configs = Architectures(space)
        elif space is not None:
            self._configs = Parameters(space, levels)
        self._start()

    def set_search_properties(self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any) -> bool:
        """Take from the `Tuner` what the constructor was not given. Called by Tune.

        Args:
            metric: of `TuneConfig`. Metrics of the searcher's own stand; one of `TuneConfig` is then for the scheduler.
            mode: of `TuneConfig`.
            config: its `param_space`.
            spec: more of the experiment, which is not needed.

        Returns:
            Whether the domains in `config`, if there are any, are what is searched.

        Raises:
            UserError: a domain cannot be searched, or the searcher has begun with others.
        """
        if self._aims is None and metric and mode:
            self._aim(metric, mode)
        if self._given:
            self._start()
            return False
        found = Parameters(config, self._settings.levels)
        if self._configs is not None and found.space.signature() != self._configs.space.signature():
            raise UserError("this EvolutionSearcher has begun with another param_space: make a new one for this Tuner")
        if self._configs is None:
            self._configs = found
        self._start()
        return True

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """What a trial is to try. Called by Tune.

        Args:
            trial_id: of the trial; asked again for the same one, the answer is the same.

        Returns:
            The config, without the constants of `param_space`; `FINISHED` where each was suggested.

        Raises:
            UserError: metric, mode or a space is missing.
        """
        evolution, configs = self._begun()
        try:
            return configs.config(evolution.suggest(trial_id))
        except Exhausted as error:
            log.info("the search is finished: %s", error)
            return Searcher.FINISHED  # type: ignore[return-value]  # Ray's word for it is a str

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Keep what a trial has reported, for a scheduler may end it without a last word. Called by Tune.

        Args:
            trial_id: of a trial in work.
            result: metric -> value, flat.
        """
        if self._aims is not None and not self._aims.fault(result):
            self._latest[trial_id] = self._aims.metrics(result)

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Learn how a trial ended. Called by Tune.

        Args:
            trial_id: of the trial. One that has ended before, as after a restart, is known by its new end.
            result: metric -> value, flat; None where it has none, or where a scheduler ended it while it was paused.
            error: whether it raised.
        """
        evolution, _ = self._begun()
        trial = self._known(trial_id, result)
        latest = self._latest.pop(trial_id, None)
        if trial is None:
            log.warning("trial %s was not suggested by this search and is not compared", trial_id)
            return
        reason = "it raised" if error else self._checked_aims().fault(result or latest or {})
        if reason:
            log.warning("trial %s has failed and is not compared: %s", trial_id, reason)
            evolution.take(Failed(trial, reason))
        else:
            evolution.take(Completed(trial, self._checked_aims().metrics(result or latest or {})))

    def add_evaluated_point(
        self,
        parameters: dict[str, Any],
        value: float | Sequence[float] | Mapping[str, float],
        error: bool = False,
        pruned: bool = False,
        intermediate_values: list[float] | None = None,
    ) -> None:
        """Tell of a config that was evaluated elsewhere. The searcher must know its space: give `space=`.

        Args:
            parameters: the config. A number between levels counts as the nearest.
            value: metric -> number, with all that are named; or the objectives' numbers in the order of `metric`.
            error: whether it failed there; then `value` is not looked at.
            pruned: whether it was stopped early; it counts by what it had reached.
            intermediate_values: not looked at.

        Raises:
            UserError: the config is none of the space, or a metric is missing or not finite.
        """
        evolution, configs = self._begun()
        trial = f"{POINT}{sum(name.startswith(POINT) for name in evolution.genomes)}"
        genome = configs.genome(parameters)
        end = Failed(trial, "it failed elsewhere") if error else Completed(trial, self._checked_aims().of_point(value))
        evolution.take(Suggested(trial, genome))
        evolution.take(end)

    def front(self, results: Iterable[Any] | None = None) -> list[FrontTrial]:
        """The trials that no other is better than in everything.

        Args:
            results: what a `Tuner` returns, to look at in the place of what this searcher was told, e.g. after
                `Tuner.restore`, which works with a copy of the searcher.

        Returns:
            Those that are complete and over no limit, best in the first objective first.

        Raises:
            UserError: metric, mode or a space is missing.
        """
        if results is not None:
            return front_of(results, self._checked_aims())
        evolution, configs = self._begun()
        return [
            FrontTrial(configs.config(evolution.genomes[trial]), evolution.reached[trial], trial)
            for trial in non_dominated(evolution.reached, self._checked_aims())
        ]

    def get_state(self) -> dict[str, Any]:
        """What the searcher was told.

        Returns:
            Plain data: which search it is, its history, and what trials in work have reported.
        """
        return to_data(self._state())

    def set_state(self, state: dict[str, Any]) -> None:
        """Become the searcher that was told a history, by being told it again.

        Args:
            state: what `get_state` gave. Where the space is not known yet, it waits for it.

        Raises:
            UserError: it is of another search, or no state.
        """
        self._become(from_data(state, "state"))

    def save(self, checkpoint_path: str) -> None:
        """Write the state as JSON. Called by Tune, which chooses the place.

        Args:
            checkpoint_path: of the file, which is whole or not there.
        """
        write(checkpoint_path, self._state())

    def restore(self, checkpoint_path: str) -> None:
        """Read what `save` wrote. Called by Tune, as is `restore_from_dir`, which finds the file of an experiment.

        Args:
            checkpoint_path: of the file.

        Raises:
            UserError: it is no such file, or of another search.
        """
        self._become(read(checkpoint_path))

    def _state(self) -> State:
        if self._evolution is None:
            return self._restored or State(search={}, events=(), latest={})
        return State(self._search(), tuple(self._evolution.events), dict(self._latest), self._param_space)

    def _become(self, state: State) -> None:
        """Take from the state what Tune gives to a search that begins and not to one that is restored."""
        self._restored, self._evolution, self._latest = state, None, {}
        metric, mode = state.search.get("metric"), state.search.get("mode")
        if self._aims is None and metric and mode:
            self._aim(metric, mode)
        if self._configs is None and state.param_space is not None:
            self._configs = parameters_of(state.param_space, self._settings.levels)
        self._start()

    def _aim(self, metric: str | Sequence[str], mode: str | Sequence[str]) -> None:
        self._aims = aims(metric, mode, self._settings.limits)
        self._metric, self._mode = _as_tune_has_it(metric), _as_tune_has_it(mode)

    def _start(self) -> None:
        """Begin once it is known what is searched, with the history that was restored, if any."""
        if self._evolution is not None or self._aims is None or self._configs is None:
            return
        strategy = self._settings.new_strategy(self._configs.space, self._aims.objectives)
        evolution = Evolution(strategy, self._aims)
        if self._restored is not None and self._restored.search:
            check_same(self._restored.search, self._search())
            evolution.replay(self._restored.events)
            self._latest = {trial: dict(metrics) for trial, metrics in self._restored.latest.items()}
        self._evolution, self._restored = evolution, None

    @property
    def _param_space(self) -> Any:
        return self._configs.plain if isinstance(self._configs, Parameters) else None

    def _begun(self) -> tuple[Evolution, Configs]:
        self._checked_aims()
        if self._evolution is None or self._configs is None:
            raise UserError(NO_SPACE_AGAIN if self._restored is not None else NO_SPACE)
        return self._evolution, self._configs

    def _checked_aims(self) -> Aims:
        if self._aims is None:
            raise UserError(
                "EvolutionSearcher has no metric: give metric= and mode= here, or a single one in TuneConfig"
            )
        return self._aims

    def _search(self) -> dict[str, Any]:
        """What makes the search what it is; plain data."""
        assert self._configs is not None
        own = {"metric": self._metric, "mode": self._mode, "space": self._configs.space.signature()}
        return {**own, **self._settings.described()}

    def _known(self, trial_id: str, result: Mapping[str, Any] | None) -> str | None:
        """The trial as it was suggested: Tune gives one that it starts again after a failure another name."""
        evolution, configs = self._begun()
        if trial_id in evolution.genomes:
            return trial_id
        own = {key.removeprefix("config/"): value for key, value in (result or {}).items() if key.startswith("config/")}
        try:
            name = configs.space.identity(configs.genome(unflatten_dict(own)))
        except UserError:
            return None
        return next((trial for trial, one in evolution.genomes.items() if configs.space.identity(one) == name), None)


def _as_tune_has_it(given: str | Sequence[str]) -> Any:
    """Tune looks for the type `list`."""
    return given if isinstance(given, str) else list(given)
