"""Blocks and embeddings of `mlp`: what is computed, how many parameters, and that nothing changed where they are not
asked for."""

import hashlib
import math

import numpy as np
import pytest
import torch

from evonas.evaluation.untrained.costs import multiply_accumulates, parameters
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import MLP
from evonas.testing import check_space

ROWS = TaskSpec("rows", InputSpec((5,)), (3,))
ALL = {"blocks": ["plain", "residual", "gated"], "embeddings": ["none", "periodic", "lite"], "layers": (1, 2)}
PLAIN = {"activation": "relu", "dropout": 0.0, "norm": True}


def built(**arch: object) -> torch.nn.Module:
    options = {"blocks": ["residual", "gated"]} if "block" in arch else {}
    options |= {"embeddings": ["periodic", "lite"]} if "embedding" in arch else {}
    space = MLP(**options)  # type: ignore[arg-type]
    return space.build(space.decode(space.encode({**PLAIN, **arch})), ROWS)


def test_the_contract_holds_for_blocks_and_embeddings() -> None:
    check_space(MLP(**ALL), ROWS, samples=20, networks=4)  # type: ignore[arg-type]
    check_space(MLP(**ALL, norm=[True]), TaskSpec("image", InputSpec((2, 3, 4)), (1,)), samples=9)


def test_searches_from_before_there_were_blocks_go_on() -> None:
    """Signature, and a digest of what 20 random genomes are, as recorded before (commit 398f127)."""
    space, found, rng = MLP(layers=(2, 2), norm=[True]), hashlib.sha256(), np.random.default_rng(0)
    assert space.signature() == (
        "MLP(hidden=Repeat(Integer(2), width=Choice(8, 16, 32, 64, 128)), activation=Choice('relu', 'silu'), "
        "dropout=Choice(0.0, 0.2), norm=Choice(True))"
    )
    for _ in range(20):
        genome = space.sample(rng)
        network = space.build(space.decode(genome), ROWS)
        weights = [(name, tuple(tensor.shape)) for name, tensor in network.state_dict().items()]
        found.update(repr((genome, space.identity(genome), weights)).encode())
    assert found.hexdigest() == "a70cab021cc41fbf1cc705e8d13ef909068bc061a8bdc82038014ac335e06fc2"


def test_residual_by_hand() -> None:
    """d = 16, two blocks of 8 and 32 inside: layer 5*16 + 16, blocks 2*16 + (16*h + h) + (h*16 + 16), end
    2*16 + 16*3 + 3 (Gorishniy et al. 2021, section 3.2)."""
    network = built(hidden=[{"width": 8}, {"width": 32}], block={"kind": "residual", "width": 16})
    blocks = [32 + (16 * h + h) + (h * 16 + 16) for h in (8, 32)]
    assert parameters(network) == (80 + 16) + sum(blocks) + (32 + 48 + 3)
    assert multiply_accumulates(network, ROWS.input) == 5 * 16 + 2 * 16 * (8 + 32) + 16 * 3


def test_a_block_adds_to_what_it_is_given() -> None:
    torch.manual_seed(0)
    network = built(hidden=[{"width": 8}], block={"kind": "gated", "width": 16}).eval()
    first, block, *rest = list(network)[1:]
    x = torch.randn(4, 5)
    norm, glu, out = block.body
    inner = norm(first(x))
    wanted = first(x) + out(glu.value(inner) * glu.gate(inner).relu())
    for layer in rest:
        wanted = layer(wanted)
    assert torch.allclose(network(x), wanted)


@pytest.mark.parametrize("kind", ["periodic", "lite"])
def test_an_embedding_by_hand(kind: str) -> None:
    """Eight frequencies and four outputs a number: PLR of Gorishniy et al. 2022, equation 2, a number at a time."""
    torch.manual_seed(0)
    form = {"kind": kind, "frequencies": 8, "width": 4, "scale": 1.0}
    network = built(hidden=[{"width": 8}], embedding=form)
    embedding, x = network[1], torch.randn(2, 5)
    own = 1 if kind == "lite" else 5
    assert parameters(embedding) == 5 * 8 + own * (2 * 8 * 4 + 4)
    assert multiply_accumulates(network, ROWS.input) == 5 * 16 * 4 + 20 * 8 + 8 * 3
    for number in range(5):
        layer = 0 if kind == "lite" else number
        angle = 2 * math.pi * embedding.frequencies[number] * x[:, number, None]
        wave = torch.cat([torch.cos(angle), torch.sin(angle)], 1)
        wanted = torch.relu(wave @ embedding.weight[layer] + embedding.bias[layer])
        assert torch.allclose(embedding(x)[:, number], wanted, atol=1e-6)


def test_genes_of_what_is_not_taken_are_inactive() -> None:
    space = MLP(**ALL)  # type: ignore[arg-type]
    arch = {**PLAIN, "hidden": [{"width": 8}], "block": {"kind": "plain"}, "embedding": {"kind": "none"}}
    genome = list(space.encode(arch))
    off = [i for i, gene in enumerate(space.genes) if gene.name.split(".")[-1] in ("frequencies", "scale")]
    off += [i for i, gene in enumerate(space.genes) if gene.name in ("block.gated.width", "embedding.lite.width")]
    for place in off:
        genome[place] = 1
    assert space.identity(tuple(genome)) == space.identity(space.encode(arch))
    assert len(off) == 6
