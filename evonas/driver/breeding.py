"""What is bred, as a function of what was evaluated: the buffer says what is visible, the strategy chooses.

A search, its resumption and its verification all breed through here, so they cannot differ.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real

from evonas.config import Config
from evonas.config.options import construct
from evonas.did_you_mean import unknown
from evonas.driver.expecting import expecting_of
from evonas.driver.founders import Founder, all_founders
from evonas.driver.own_parts import calling
from evonas.driver.reorder_buffer import Failed, ReorderBuffer, View
from evonas.errors import UserError
from evonas.objectives.objectives import Objectives
from evonas.objectives.promotion import PROMOTED, Promotions, promoted_to
from evonas.records import Candidate, Genome, Job, RungReport
from evonas.seeding import seed_for
from evonas.spaces.space import Space
from evonas.strategies import STRATEGIES, Problem, Proposal, Report, Strategy, Survivor
from evonas.text import one_line


class Breeder:
    """Candidates are bred, or recalled from a record, in index order and each once.

    Args:
        config: the search's.
        space: of the genomes.
        objectives: of the search; make fitnesses of metrics.
        founders: the first candidates, of which no strategy is asked; default: those of the config.

    Raises:
        UserError: the config's strategy does not exist or has not these options, or a founder is none of the space.
    """

    def __init__(
        self, config: Config, space: Space, objectives: Objectives, founders: Sequence[Founder] | None = None
    ) -> None:
        self._config = config
        self._founders = all_founders(config, space) if founders is None else founders
        self._noisy = objectives.noisy
        self._space, self._kind = space, config.strategy.kind
        self._columns = frozenset(objectives.names)
        self._genomes: list[Genome] = []
        self._born_as: dict[str, int] = {}  # identity of a network -> its candidate
        self._checked_last: tuple[Genome, str] | None = None  # and its identity, which a space may compute for long
        self.identities: list[str] = []
        """That of the network of each candidate, by index."""
        self.buffer = ReorderBuffer(config, objectives)
        problem = Problem(space, config.seed, objectives.objectives, config.generation, objectives.limits)
        self.strategy: Strategy = construct(STRATEGIES, config.strategy, "strategy", problem)
        self._part, self._space_part = f"strategy {self._kind}", f"space {type(space).__name__}"
        with calling(self._part, "selection"):
            self._selection = self.strategy.selection()
        self._selected = 0  # evaluated candidates that the selection was told of
        self._gone: set[int] = set()  # paused ones whose place a promotion has taken there
        self._expecting = expecting_of(config, space, objectives)
        self._promotions: Promotions | None = None
        self._first_pause = 1 if objectives.before else 0  # nobody waits at rung 0
        if config.training.stopping == "pause":
            learnt = next((i for i, one in enumerate(objectives.objectives) if one.trained), 0)
            self._promotions = Promotions(len(config.training.rungs), config.training.promote, learnt)
        self._seeds: list[int] = []
        self._parent: dict[int, int] = {}  # promotion -> whom it promotes
        self._first: dict[int, int] = {}  # promotion -> the candidate whose network it trains on
        self.next = 0
        """Index of the next candidate."""

    def ready(self) -> bool:
        """Whether all that the next candidate is to see has happened."""
        return self.buffer.ready(self.next)

    def breed(self, visible: int | None = None) -> Job:
        """Breed the next candidate.

        Args:
            visible: in async mode, breed as if so many had been evaluated; None for what is evaluated now.

        Returns:
            What a worker needs to evaluate it.

        Raises:
            Exhausted: the space holds no network that has not been proposed.
            UserError: the strategy proposes what can be no candidate.
            Halted: the strategy is the user's own and raises.
        """
        view = self._look(visible)
        if promotion := self._promotion(view):
            return self._born(promotion, view)
        proposal = self._checked(self._proposed())
        candidate = Candidate(
            index=self.next,
            genome=proposal.genome,
            parents=proposal.parents,
            operator=proposal.operator,
            visible=view.visible,
            seed=self._seed(self.next),
            predicted=proposal.predicted,
        )
        return self._born(candidate, view)

    def recall(self, candidate: Candidate, reached: Sequence[RungReport] = (), decided: bool = False) -> Job:
        """Take the next candidate from the record.

        Args:
            candidate: as it was recorded.
            reached: what an earlier attempt had reported.
            decided: it is evaluated, and nobody will do the job.

        Returns:
            What a worker needs to evaluate it, as at its birth.
        """
        assert candidate.index == self.next, f"candidate {candidate.index} is recalled in the place of {self.next}"
        return self._born(candidate, self._look(candidate.visible), reached, decided)

    def follow(self, candidate: Candidate) -> Job:
        """Take only the strategy's choice of the next candidate from the record, and derive the rest.

        Args:
            candidate: as it was recorded.

        Returns:
            As of `breed`, had the strategy made this choice.
        """
        view = self._look(candidate.visible)
        if promotion := self._promotion(view):
            return self._born(promotion, view)
        return self._born(replace(candidate, visible=view.visible, seed=self._seed(candidate.index)), view)

    def founder(self, index: int) -> Founder | None:
        """Who a candidate is, where no strategy was asked for it."""
        return self._founders[index] if index < len(self._founders) else None

    def retrain(self, index: int, reached: Sequence[RungReport]) -> Job:
        """A job to train a candidate again by its seed, and nothing else: all that it `reached` is known."""
        return Job(Candidate(index, self._genomes[index], (), "retrain", 0, self._seeds[index]), reached=tuple(reached))

    def check(self, index: int) -> Job:
        """A job to measure a candidate that was bred before once more, and nothing else."""
        return Job(Candidate(index, self._genomes[index], (), "measure", 0, self._seeds[index]), kind="measure")

    def population(self, count: int) -> list[Survivor]:
        """The population, as the strategy selects it.

        Args:
            count: of how many evaluated candidates, in the order that counts; no fewer than were asked for before.

        Returns:
            Its members, best first.
        """
        with calling(self._part, "the selection"):
            gone = self._promoted_among(self.buffer.order[:count])
            if gone - self._gone:  # they must not have taken a place from anybody
                self._selection, self._selected, self._gone = self.strategy.selection(), 0, gone
            for fitness in self.buffer.final(self.buffer.order[self._selected : count]):
                if fitness.index not in gone:
                    self._selection.add(fitness)
            self._selected = count
            return self._selection.members()

    @property
    def paused(self) -> list[int]:
        """Candidates that may be promoted soon, the next ones first."""
        return self._promotions.waiting() if self._promotions else []

    def _promoted_among(self, order: Sequence[int]) -> set[int]:
        """Those in whose place a promotion stands among candidates in the order that counts."""
        return {self._parent[index] for index in order if index in self._parent}

    def _promotion(self, view: View) -> Candidate | None:
        """The paused candidate that trains on before another network is bred."""
        if self._promotions is None or self.founder(self.next) or not (found := self._promotions.next()):
            return None
        parent, rung = found
        operator, seed = f"{PROMOTED}{rung + 1}", self._seeds[parent]
        return Candidate(self.next, self._genomes[parent], (parent,), operator, view.visible, seed)

    def _checked(self, proposal: object) -> Proposal:
        if fault := self._fault(proposal):
            raise UserError(f"strategy {self._kind}: for candidate {self.next} it proposes {fault}")
        assert isinstance(proposal, Proposal)
        return proposal

    def _fault(self, proposal: object) -> str:
        """What of a proposal can be no candidate; empty where all can."""
        if not isinstance(proposal, Proposal):
            return f"{one_line(repr(proposal))}, not a Proposal"
        genome = proposal.genome
        if not isinstance(genome, tuple) or not {*map(type, genome)} <= {int}:
            return f"the genome {one_line(repr(genome))}, not a tuple of ints"
        try:
            identity = self._space.identity(genome)
        except ValueError as error:
            return f"the genome {genome}: {error}"
        self._checked_last, twin = (genome, identity), self._born_as.get(identity)
        if twin is not None:
            return f"the network of candidate {twin} again; propose new ones, and raise Exhausted where there is none"
        parents = proposal.parents
        if not isinstance(parents, tuple) or not all(type(p) is int and 0 <= p < self.next for p in parents):
            return f"the parents {parents!r}, not a tuple of candidates before it"
        if not isinstance(proposal.operator, str) or not proposal.operator:
            return f"the operator {proposal.operator!r}, not a word"
        if proposal.operator.startswith(PROMOTED):
            return f"the operator {proposal.operator!r}, which says that a paused candidate trains on; take another"
        for name, value in proposal.predicted.items():
            if name.removesuffix(".std") not in self._columns:
                return f"a prediction of {unknown(name, self._columns)}"
            if not isinstance(value, Real) or not math.isfinite(value):
                return f"a prediction of {name} that is {value!r}, not a finite number"
        return ""

    def _proposed(self) -> object:
        """Who is next: a founder while there is one, then what the strategy says."""
        if founder := self.founder(self.next):
            return Proposal(founder.genome, (), founder.operator)
        with calling(self._part, f"ask for candidate {self.next}"):
            return self.strategy.ask(self.next)

    def _seed(self, index: int) -> int:
        """With which a candidate is trained."""
        founder = self.founder(index)
        if founder and founder.known:
            return founder.known.candidate.seed
        return seed_for(self._config.seed, "train", index)

    def _look(self, visible: int | None = None) -> View:
        view = self.buffer.view(self.next, visible)
        for told in view.news:
            if self._promotions and isinstance(told, Report):
                self._promotions.add(told.fitness)
            news = self._of_network(told)
            if isinstance(news, Failed):
                with calling(self._part, f"tell_failed of candidate {news.index}"):
                    self.strategy.tell_failed(news.index)
                if self._expecting:
                    self._expecting.tell_failed(news.index)
            else:
                if self._expecting:
                    self._expecting.tell(news)
                with calling(self._part, f"tell of candidate {news.index}"):
                    self.strategy.tell(news)
        return view

    def _of_network(self, news: Report | Failed) -> Report | Failed:
        """What a promotion has reached, its network has: a strategy knows the candidate that it proposed."""
        first = self._first.get(news.index)
        if first is None:
            return news
        return (
            Failed(first)
            if isinstance(news, Failed)
            else Report(first, replace(news.fitness, index=first), news.metrics)
        )

    def _born(self, candidate: Candidate, view: View, reached: Sequence[RungReport] = (), decided: bool = False) -> Job:
        rung = promoted_to(candidate)
        if rung is None:
            with calling(self._part, f"register of candidate {candidate.index}"):
                self.strategy.register(candidate.index, candidate.genome)
        else:
            self._promote(candidate, rung)
        self._seeds.append(candidate.seed)
        identity = self._identity(candidate)
        self._born_as.setdefault(identity, candidate.index)
        self.identities.append(identity)
        self.next += 1
        self._genomes.append(candidate.genome)
        genomes = tuple(self._genomes[member.index] for member in view.front) if self._noisy else ()
        before = None
        if self._expecting and not decided and rung is None:
            before = self._expecting.before(candidate.index, candidate.genome, self._genomes, view)
        job = Job(candidate, view.cutoffs, view.front, tuple(reached), genomes=genomes, before=before)
        return replace(job, pause=self._pause(rung)) if self._promotions else job

    def _pause(self, rung: int | None) -> int | None:
        """The rung at which a candidate is paused that is promoted to one, or to none."""
        at = self._first_pause if rung is None else rung
        return at if at < self.buffer.rungs - 1 else None

    def _promote(self, candidate: Candidate, rung: int) -> None:
        parent = candidate.parents[0]
        self._parent[candidate.index] = parent
        self._first[candidate.index] = self._first.get(parent, parent)
        self.buffer.promoted(candidate.index, rung)
        if self._promotions:
            self._promotions.gone(parent, rung - 1)

    def _identity(self, candidate: Candidate) -> str:
        if self._checked_last and self._checked_last[0] is candidate.genome:
            return self._checked_last[1]
        with calling(self._space_part, f"identity of candidate {candidate.index}"):
            return self._space.identity(candidate.genome)
