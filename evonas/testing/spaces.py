"""The contract of a space: see `evonas.spaces.space.Space`."""

import copy
import itertools

import numpy as np
import torch
from torch import Tensor, nn

from evonas.evaluation.untrained.costs import parameters
from evonas.inputs import called
from evonas.records import Genome, TaskSpec
from evonas.spaces.space import Space
from evonas.testing.checks import attempt, check_travels, process_unchanged, refusal, require
from evonas.testing.examples import batch

EACH_VALUE = 20
"""Genomes drawn a value of the largest gene: that a value never comes up has a probability of about e^-20."""


def check_space(space: Space, spec: TaskSpec, samples: int = 50, seed: int = 0, networks: int = 4) -> None:
    """Make sure that a space keeps its contract.

    Args:
        space: the space.
        spec: of a task that it builds networks for.
        samples: genomes that are drawn and translated.
        seed: of the draws.
        networks: how many of them are built and trained for a step, which takes most of the time.

    Raises:
        AssertionError: it does not; says where.
    """
    with attempt("the genes of the space"):
        require(bool(space.genes), "the space has no genes")
        require(isinstance(space.signature(), str) and bool(space.signature()), "signature() is no text")
    _check_draws(space, seed)
    rng = np.random.default_rng(seed)
    genomes = [space.sample(rng) for _ in range(samples)]
    _check_refusals(space, genomes[0])
    arrived = check_travels(space, "the space")
    require(arrived.signature() == space.signature(), "the space arrives at a worker with another signature()")
    for genome in genomes:
        with attempt(f"genome {genome}"):
            _check_genome(space, genome)
            same = arrived.decode(genome) == space.decode(genome)
            require(
                same and arrived.identity(genome) == space.identity(genome),
                f"genome {genome} means another architecture at a worker: {arrived.decode(genome)}",
            )
    distinct = len({space.canonical(genome) for genome in genomes})
    require(space.size() >= distinct, f"size() is {space.size()}, but {distinct} different genomes were drawn")
    listed = list(itertools.islice(space.genomes(), samples))
    require(listed == [space.canonical(genome) for genome in listed], "genomes() lists genomes that are not canonical")
    require(len(set(listed)) == min(samples, space.size()), "genomes() lists a genome twice, or not as many as size()")
    for genome in genomes[:networks]:
        _check_network(space, genome, spec)


def _check_draws(space: Space, seed: int) -> None:
    """Every value of every gene can be drawn, and a draw follows from the generator."""
    count = EACH_VALUE * max(gene.size for gene in space.genes)
    rng, again = np.random.default_rng(seed), np.random.default_rng(seed)
    with attempt("sample"):
        drawn = [space.sample(rng) for _ in range(count)]
        require(
            drawn[:9] == [space.sample(again) for _ in range(9)], "sample draws from elsewhere than from its generator"
        )
    for genome in drawn:
        legal = isinstance(genome, tuple) and len(genome) == len(space.genes) and {*map(type, genome)} <= {int}
        require(legal, f"sample gave {genome!r}, not a tuple of {len(space.genes)} ints")
    for position, gene in enumerate(space.genes):
        found = {genome[position] for genome in drawn}
        require(found <= set(range(gene.size)), f"sample gave {gene.name} the index {max(found)} of {gene.size} values")
        require(len(found) == gene.size, f"sample never gave {gene.name} some of its {gene.size} values")


def _check_refusals(space: Space, genome: Genome) -> None:
    with refusal("decode of a genome with one gene too many"):
        space.decode((*genome, 0))
    with refusal("decode of a genome with an index that its gene does not have"):
        space.decode((space.genes[0].size, *genome[1:]))


def _check_genome(space: Space, genome: Genome) -> None:
    canonical, arch = space.canonical(genome), space.decode(genome)
    require(space.canonical(canonical) == canonical, f"canonical of {canonical}, which is canonical, is another genome")
    require(space.decode(canonical) == arch, f"{genome} and its canonical genome {canonical} decode to two networks")
    require(space.encode(arch) == canonical, f"encode(decode({genome})) is {space.encode(arch)}, not {canonical}")
    require(space.encode(arch.to_dict()) == canonical, f"encode does not take {genome} as nested mappings")
    name = space.identity(genome)
    require(isinstance(name, str) and bool(name), f"identity({genome}) is {name!r}, not a text")
    require(space.identity(canonical) == name, f"{genome} and its canonical genome {canonical} have two identities")
    require(space.identity(genome) == name, f"identity({genome}) is another at each call")
    active = space.active(genome)
    named = {gene.name for gene, on in zip(space.genes, active, strict=True) if on}
    require(set(space.describe(genome)) == named, f"describe({genome}) does not name the active genes, {sorted(named)}")


def _check_network(space: Space, genome: Genome, spec: TaskSpec) -> None:
    what = f"the network of {space.describe(genome)}"
    with attempt(f"build: {what}"), process_unchanged(f"build: {what}", random=False):
        network, same = _built(space, genome, spec), _built(space, space.canonical(genome), spec)
    require(isinstance(network, nn.Module), f"build returned {network!r}, not an nn.Module")
    require(parameters(network) > 0, f"{what} has no trainable parameters")
    require(all(p.numel() for p in network.parameters()), f"{what} has an empty parameter")
    with attempt(what):
        _check_outputs(network, same, spec, what)
        _check_gradients(network, spec, what)


def _built(space: Space, genome: Genome, spec: TaskSpec) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return space.build(space.decode(genome), spec)


def _check_outputs(network: nn.Module, same: nn.Module, spec: TaskSpec, what: str) -> None:
    """In evaluation mode: the right shape for any number of examples, and no output that depends on other things."""
    x = batch(spec.input, 4)
    with torch.no_grad():
        output = called(network.eval(), x)
        require(isinstance(output, Tensor), f"{what} gave {type(output).__name__}, not a tensor")
        wanted = (4, *spec.output_shape)
        require(output.shape == wanted, f"{what} gave {tuple(output.shape)} for four examples, not {wanted}")
        require(output.dtype == torch.float32, f"{what} gave {output.dtype}, not torch.float32")
        require(bool(output.isfinite().all()), f"{what} gave a number that is not finite")
        require(torch.equal(called(network, x), output), f"{what} gives another output each time in evaluation mode")
        single = called(network, batch(spec.input, 1))
        require(single.shape == (1, *spec.output_shape), f"{what} gave {tuple(single.shape)} for one example")
        again = (
            f"{what}: built of the same seed and of the canonical genome, it is another network; draw from torch alone"
        )
        require(torch.equal(called(same.eval(), x), output), again)
        same.load_state_dict(copy.deepcopy(network).state_dict())
        require(torch.equal(called(same, x), output), f"{what} has something in it that is not in its state_dict")


def _check_gradients(network: nn.Module, spec: TaskSpec, what: str) -> None:
    output = called(network.train(), batch(spec.input, 4))
    output.square().mean().backward()
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    require(bool(gradients), f"{what}: no gradient reaches a parameter")
    require(all(bool(g.isfinite().all()) for g in gradients), f"{what} has gradients that are not finite")
