"""Genes by name <-> genome (a tuple of ints) <-> readable architecture. Knows nothing of networks and populations.

A space is a tree: `Choice` and `Integer` are genes, `Group`, `Repeat`, `Optional` and `OneOf` hold them. Every node
owns a fixed run of the genome, as long as its largest form; a gene that another one switches off is inactive: it
stays in the genome, so that offspring inherit it, and `Space.canonical` sets it to 0.
"""

from evonas.spaces.genes.arch import Arch
from evonas.spaces.genes.group import Group
from evonas.spaces.genes.node import Choice, Integer, Node, Scalar
from evonas.spaces.genes.one_of import OneOf
from evonas.spaces.genes.optional import Optional
from evonas.spaces.genes.repeat import Repeat

__all__ = ["Arch", "Choice", "Group", "Integer", "Node", "OneOf", "Optional", "Repeat", "Scalar"]
