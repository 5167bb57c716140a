"""Variation operators: how a genome is made of one or two others. Pure functions of a generator of random numbers."""

import numpy as np

from evonas.records import Genome
from evonas.spaces.space import Space


def mutate(space: Space, genome: Genome, rate: float, rng: np.random.Generator) -> Genome:
    """Change genes on their own, active or not: an ordered gene by one step, any other to another value.

    Args:
        space: says of each gene how many values it has and whether they are ordered.
        genome: the parent's.
        rate: chance of each gene to change, 0 to 1.
        rng: advanced by one draw a gene, and one for each that changes and has a choice.

    Returns:
        The child's genome, which may be the parent's.
    """
    child = list(genome)
    for i in np.flatnonzero(rng.random(len(child)) < rate):
        gene = space.genes[i]
        if gene.size == 1:
            continue
        if gene.ordered:
            step = 1 if child[i] == 0 else -1 if child[i] == gene.size - 1 else int(rng.choice((-1, 1)))
            child[i] += step
        else:
            child[i] = (child[i] + int(rng.integers(1, gene.size))) % gene.size
    return tuple(child)


def uniform_crossover(a: Genome, b: Genome, rng: np.random.Generator) -> Genome:
    """Take each gene from one of two parents at even odds (Syswerda, ICGA 1989).

    Args:
        a: one parent.
        b: the other, of the same length; a gene is taken from it where the draw is below one half.
        rng: advanced by one draw a gene.

    Returns:
        The child's genome.
    """
    return tuple(np.where(rng.random(len(a)) < 0.5, b, a).tolist())


def neighbours(space: Space, genome: Genome) -> list[Genome]:
    """All genomes that one step leads to: an ordered gene by one value, any other to another value.

    Args:
        space: says of each gene how many values it has and whether they are ordered.
        genome: from which the step is; inactive genes are changed, too.

    Returns:
        By gene, then by value.
    """
    found = []
    for place, (gene, own) in enumerate(zip(space.genes, genome, strict=True)):
        values = (own - 1, own + 1) if gene.ordered else range(gene.size)
        steps = [value for value in values if value != own and 0 <= value < gene.size]
        found += [(*genome[:place], value, *genome[place + 1 :]) for value in steps]
    return found
