"""Cells as graphs of operations: which edges are alive, and when two cells are the same network.

A cell of n nodes has one operation an edge, in the order of NAS-Bench-201: 0-1, 0-2, 1-2, 0-3, 1-3, 2-3, ... Node 0
is the input, the last node the output, and a node is the sum of its incoming edges. "none" gives zero, "skip" the
source itself.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache

Ops = tuple[str, ...]
"""The operation of every edge."""

PARAMETER_FREE = {"avgpool3x3", "maxpool3x3"}
REMEMBERED = 10_000  # forms kept; one is a few kilobytes at most


@cache
def edges(nodes: int) -> tuple[tuple[int, int], ...]:
    """(source, target) of every edge."""
    return tuple((source, target) for target in range(1, nodes) for source in range(target))


def pruned(ops: Ops, nodes: int) -> Ops:
    """The same network with "none" on every edge that no path of operations from input to output takes."""
    wires = edges(nodes)
    fed, used = {0}, {nodes - 1}
    for (source, target), op in zip(wires, ops, strict=True):  # targets ascend
        if op != "none" and source in fed:
            fed.add(target)
    for (source, target), op in zip(reversed(wires), reversed(ops), strict=True):
        if op != "none" and target in used:
            used.add(source)
    return tuple(
        op if source in fed and target in used else "none" for (source, target), op in zip(wires, ops, strict=True)
    )


def stacks_alike(ops: Ops, nodes: int) -> bool:
    """Whether any number of these cells in a row is the same as one: it gives its input, or zero."""
    steps, output = _steps(ops, nodes)
    return len(steps) == 1 and output in (Counter(), Counter({0: 1}))


@lru_cache(maxsize=REMEMBERED)
def published_form(ops: Ops, nodes: int) -> str:
    """The string that defines the 6,466 classes of NAS-Bench-201 (Dong & Yang 2020), for any cell.

    It is `to_unique_str(consider_zero=True)` of the authors' code, to the letter, because the published
    classes depend on two peculiarities of it. A zero ("#") stays in the sums it is a part of, so dead edges
    tell many equal networks apart; and one convolution used twice reads like two with weights of their own.
    """
    values = ["0"] + [""] * (nodes - 1)
    incoming: list[str] = []
    for (source, target), op in zip(edges(nodes), ops, strict=True):
        if op == "none" or values[source] == "#":
            incoming.append("#")
        else:
            incoming.append(values[source] if op == "skip" else f"({values[source]})@{op}")
        if source == target - 1:
            values[target] = "+".join(sorted(incoming))
            incoming = []
    return values[-1]


@lru_cache(maxsize=REMEMBERED)
def exact_form(ops: Ops, nodes: int) -> str:
    """Equal for two cells exactly when one is the other with its steps renamed, dead edges and skips removed.

    A step is one application of an operation; equal parameter-free operations on equal inputs are one step.
    The form is the smallest description over the orders of the steps that colour refinement leaves open
    (individualisation and refinement, McKay 1981).
    """
    steps, output = _steps(ops, nodes)
    return str(min(_Form(steps, output).candidates([0] * len(steps))))


Step = tuple[str, tuple[tuple[int, int], ...]]
"""Operation, and the steps that its input sums: ((step, how often), ...)."""


def _steps(ops: Ops, nodes: int) -> tuple[list[Step], Counter[int]]:
    """Live operations in topological order, step 0 being the input, and the steps that the output sums."""
    steps: list[Step] = [("input", ())]
    shared: dict[Step, int] = {}
    sums: list[Counter[int]] = [Counter({0: 1})] + [Counter() for _ in range(nodes - 1)]
    for (source, target), op in zip(edges(nodes), pruned(ops, nodes), strict=True):
        if op == "skip":
            sums[target].update(sums[source])
        elif op != "none":
            step = (op, tuple(sorted(sums[source].items())))
            index = shared.get(step, len(steps))
            if index == len(steps):
                steps.append(step)
            if op in PARAMETER_FREE:
                shared[step] = index
            sums[target][index] += 1
    return steps, sums[-1]


class _Form:
    """The descriptions of a graph of steps that do not depend on how its steps are numbered."""

    def __init__(self, steps: Sequence[Step], output: Counter[int]) -> None:
        self.steps, self.output = steps, output
        self.users: list[list[tuple[int, int]]] = [[] for _ in steps]
        for index, (_, sources) in enumerate(steps):
            for source, times in sources:
                self.users[source].append((index, times))

    def candidates(self, colours: list[int]) -> Iterator[tuple[object, ...]]:
        colours = self._refined(colours)
        counts = Counter(colours)
        tied = [colour for colour, count in counts.items() if count > 1]
        if not tied:
            yield self._described(colours)
            return
        first = min(tied)
        kinds: dict[object, int] = {}  # twins (same inputs, same users) are interchangeable: one of them is enough
        for index in (i for i, colour in enumerate(colours) if colour == first):
            kinds.setdefault((self.steps[index][1], tuple(self.users[index]), self.output[index]), index)
        for index in kinds.values():
            yield from self.candidates([2 * colour + (i != index) for i, colour in enumerate(colours)])

    def _refined(self, colours: list[int]) -> list[int]:
        while True:
            views = [self._view(index, colours) for index in range(len(self.steps))]
            rank = {view: at for at, view in enumerate(sorted(set(views)))}
            finer = [rank[view] for view in views]
            if len(rank) == len(set(colours)):
                return finer
            colours = finer

    def _view(self, index: int, colours: list[int]) -> tuple[object, ...]:
        op, sources = self.steps[index]
        above = tuple(sorted((colours[step], times) for step, times in sources))
        below = tuple(sorted((colours[step], times) for step, times in self.users[index]))
        return colours[index], op, self.output[index], above, below

    def _described(self, colours: list[int]) -> tuple[object, ...]:
        order = sorted(range(len(colours)), key=colours.__getitem__)
        return tuple(
            (self.steps[i][0], self.output[i], tuple(sorted((colours[s], times) for s, times in self.steps[i][1])))
            for i in order
        )
