"""The genome codec, on spaces drawn at random and on small ones counted by hand."""

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evonas.spaces.genes import Arch, Choice, Group, Integer, Node, OneOf, Optional, Repeat
from evonas.spaces.space import Space

untimed = settings(deadline=None)  # a busy machine is no failure


class Tree(Space):
    def __init__(self, **nodes: Node) -> None:
        for name, node in nodes.items():
            setattr(self, name, node)

    def build(self, arch, task):
        raise NotImplementedError


def choices() -> st.SearchStrategy[Node]:
    scalars = st.one_of(st.integers(-9, 9), st.booleans(), st.none(), st.sampled_from(["conv", "skip", "1"]))
    several = st.lists(scalars, min_size=1, max_size=4, unique_by=json.dumps)
    integers = st.tuples(st.integers(0, 5), st.integers(0, 3)).map(lambda t: Integer(t[0], t[0] + t[1]))
    return st.one_of(several.map(lambda values: Choice(*values)), integers)


def never_none(node: Node) -> bool:
    return not isinstance(node, Optional) and not (isinstance(node, Choice) and None in node.values)


def holders(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    fields = st.dictionaries(st.sampled_from(["op", "width", "size"]), inner, max_size=2)
    groups = fields.map(lambda given: Group(**given))
    counts = st.one_of(st.integers(1, 3), st.tuples(st.integers(0, 1), st.integers(1, 3)).map(lambda t: Integer(*t)))
    return st.one_of(
        groups,
        inner.filter(never_none).map(Optional),
        st.tuples(counts, fields).map(lambda t: Repeat(t[0], **t[1])),
        st.dictionaries(st.sampled_from(["conv", "pool", "mlp"]), groups, min_size=1).map(lambda given: OneOf(**given)),
    )


nodes = st.recursive(choices(), holders, max_leaves=5)
spaces = st.dictionaries(st.sampled_from(["stem", "stages", "head"]), nodes, min_size=1).map(lambda n: Tree(**n))


@st.composite
def spaces_and_genomes(draw: st.DrawFn) -> tuple[Tree, tuple[int, ...]]:
    space = draw(spaces)
    assume(space.tree.length)
    return space, space.sample(np.random.default_rng(draw(st.integers(0, 2**32))))


@untimed
@given(spaces_and_genomes())
def test_encode_undoes_decode(given_):
    space, genome = given_
    arch = space.decode(genome)
    assert space.encode(arch) == space.canonical(genome)
    assert space.encode(json.loads(json.dumps(arch.to_dict()))) == space.canonical(genome)


@untimed
@given(spaces_and_genomes())
def test_canonical_is_idempotent_and_the_same_architecture(given_):
    space, genome = given_
    canonical = space.canonical(genome)
    assert space.canonical(canonical) == canonical
    assert space.decode(canonical) == space.decode(genome)
    assert space.identity(canonical) == space.identity(genome)
    assert space.active(canonical) == space.active(genome)


@untimed
@given(spaces_and_genomes(), st.integers(0, 2**32))
def test_inactive_genes_change_nothing(given_, seed):
    space, genome = given_
    other = space.sample(np.random.default_rng(seed))
    mixed = tuple(a if on else b for a, b, on in zip(genome, other, space.active(genome), strict=True))
    assert space.decode(mixed) == space.decode(genome)
    assert space.identity(mixed) == space.identity(genome)


@untimed
@given(spaces_and_genomes(), st.integers(0, 2**32))
def test_an_active_gene_changes_the_architecture(given_, seed):
    space, genome = given_
    free = [i for i, (on, gene) in enumerate(zip(space.active(genome), space.genes, strict=True)) if on * gene.size > 1]
    assume(free)
    at = free[seed % len(free)]
    changed = list(genome)
    changed[at] = (changed[at] + 1) % space.genes[at].size
    assert repr(space.decode(tuple(changed))) != repr(space.decode(genome))  # 0 == False, but reads differently


@untimed
@given(spaces)
def test_size_is_the_number_of_genomes(space):
    assume(space.tree.length and space.size() <= 2_000)
    genomes = list(space.genomes())
    assert len(genomes) == len(set(genomes)) == space.size()
    assert all(space.canonical(genome) == genome for genome in genomes)
    assert len({space.identity(genome) for genome in genomes}) == space.size()


@untimed
@given(spaces_and_genomes())
def test_describe_names_the_active_genes(given_):
    space, genome = given_
    named = dict(zip((gene.name for gene in space.genes), space.active(genome), strict=True))
    assert list(space.describe(genome)) == [name for name, on in named.items() if on]


class Small(Space):
    stem = Choice(16, 24)
    stages = Repeat(Integer(1, 2), width=Choice(8, 16, 32), op=OneOf(conv=Group(kernel=Choice(3, 5)), pool=Group()))
    gate = Optional(Choice(0.25, 0.5))

    def build(self, arch, task):
        raise NotImplementedError


def test_a_space_by_hand():
    # a stage: 3 widths x (2 kernels + pool) = 9; one or two of them: 9 + 81; stem 2, gate 1 + 2
    assert Small().size() == 2 * (9 + 81) * 3
    assert [gene.name for gene in Small().genes] == [
        "stem",
        "stages.count",
        *("stages.0.width", "stages.0.op.kind", "stages.0.op.conv.kernel"),
        *("stages.1.width", "stages.1.op.kind", "stages.1.op.conv.kernel"),
        *("gate.present", "gate"),
    ]
    genome = (1, 0, 2, 1, 1, 1, 0, 1, 1, 1)  # one stage of pool: its kernel and the second stage are inactive
    assert Small().canonical(genome) == (1, 0, 2, 1, 0, 0, 0, 0, 1, 1)
    arch = Small().decode(genome)
    assert (arch.stem, arch.stages[0].width, arch.stages[0].op.kind, arch.gate) == (24, 32, "pool", 0.5)
    assert len(arch.stages) == 1
    assert Small().describe(genome) == {
        "stem": 24,
        "stages.count": 1,
        "stages.0.width": 32,
        "stages.0.op.kind": "pool",
        "gate.present": True,
        "gate": 0.5,
    }


def test_numbers_in_order_are_ordered_genes():
    assert [gene.ordered for gene in Small().genes] == [bool(int(flag)) for flag in "1110110101"]
    assert not Choice(16, 8, 32).ordered
    assert Choice(16, 8, 32, ordered=True).ordered


def test_an_architecture_is_frozen_hashable_and_picklable():
    arch = Small().decode((0,) * 10)
    assert pickle.loads(pickle.dumps(arch)) == arch
    assert hash(arch) == hash(Small().decode((0,) * 10))
    with pytest.raises(AttributeError, match="frozen"):
        arch.stem = 3
    with pytest.raises(AttributeError, match="no 'width'; it has stem, stages, gate"):
        arch.width  # noqa: B018


def test_signatures_tell_spaces_apart():
    assert Tree(a=Choice(1, 2)).signature() == Tree(a=Choice(1, 2)).signature()
    others = [Choice(2, 1), Choice(1, 2, 3), Choice(1, 2, ordered=False), Choice("1", "2"), Optional(Choice(1, 2))]
    assert len({Tree(a=node).signature() for node in [Choice(1, 2), *others]}) == 6


@pytest.mark.parametrize(
    ("genome", "message"),
    [
        ((0, 0), "a genome of Small has 10 genes, not 2"),
        ((2,) + (0,) * 9, r"stem: index 2 is not in 0\.\.1"),
        ((-1,) + (0,) * 9, "stem: index -1"),
    ],
)
def test_a_wrong_genome_is_a_value_error(genome, message):
    for reads in (Small().canonical, Small().decode, Small().identity, Small().describe):
        with pytest.raises(ValueError, match=message):
            reads(genome)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stem": 17}, "stem: 17 is not one of 16, 24"),
        ({"stages": []}, "stages: needs a sequence of 1 or 2 items"),
        ({"stages": [{"width": 8}]}, "stages.*0.*needs exactly width, op, not width"),
        ({"gate": 0.3}, "gate: 0.3 is not one of"),
        ({"extra": 1}, "needs exactly stem, stages, gate"),
    ],
)
def test_a_wrong_architecture_says_where(change, message):
    arch = {"stem": 16, "stages": [{"width": 8, "op": {"kind": "pool"}}], "gate": None}
    assert Small().encode(arch) == (0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    with pytest.raises(ValueError, match=message):
        Small().encode({**arch, **change})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Choice(), "at least one value"),
        (lambda: Choice(1, 1), "must differ"),
        (lambda: Integer(3, 2), "is empty"),
        (lambda: Repeat(0, a=Choice(1)), "must reach 1"),
        (lambda: Group(a=3), "a must be a gene"),
        (lambda: Group(to_dict=Choice(1)), "cannot be the name of a gene"),
        (lambda: OneOf(conv=Choice(1)), "must be a Group"),
        (lambda: OneOf(conv=Group(kind=Choice(1))), "without a field called kind"),
        (lambda: Optional(Choice(None, 1)), "None means absent"),
        (lambda: Optional(Optional(Choice(1))), "None means absent"),
        (lambda: Tree().genes, "Tree has no genes"),
        (lambda: Tree(build=Choice(1)).genes, "Space needs that name"),
    ],
)
def test_a_wrong_gene_is_a_value_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_sampling_is_uniform_in_every_gene():
    rng = np.random.default_rng(0)
    drawn = np.array([Small().sample(rng) for _ in range(3_000)])
    for at, gene in enumerate(Small().genes):
        shares = np.bincount(drawn[:, at], minlength=gene.size) / len(drawn)
        assert np.abs(shares - 1 / gene.size).max() < 0.05  # 5 standard deviations at least


def test_a_space_is_read_and_bred_without_torch():
    code = "import sys, evonas.spaces as s; c = s.Cell(); c.identity((0,) * 6); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_arch_equals_only_an_arch():
    assert Arch({"a": 1}) != {"a": 1}
