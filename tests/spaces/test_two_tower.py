"""Two towers: what they cost by hand, and that they are matrix factorisation without layers."""

import pytest
import torch

from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES
from evonas.testing import check_space

SHOP = TaskSpec("shop", InputSpec((), "int64", 30), (20,), {"recall@10": "maximize"})


def network(spec: TaskSpec = SHOP, **arch: object) -> torch.nn.Module:
    space = SPACES["two_tower"]()
    whole = {"embedding": 8, "user": [], "item": [], "activation": "relu", "similarity": "dot", "dropout": 0.0, **arch}
    return space.build(space.decode(space.encode(whole)), spec).eval()


def parameters(module: torch.nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


@pytest.mark.parametrize("options", [{}, {"embeddings": 4, "layers": [2, 2], "widths": 8, "similarities": ["cosine"]}])
def test_the_contract_holds(options: dict[str, object]) -> None:
    check_space(SPACES["two_tower"](**options), SHOP, samples=20, networks=4)


def test_parameters_by_hand() -> None:
    """30 users and 20 items of 8 numbers and a bias; a tower of 16 has 8 x 16 + 16 and 16 x 8 + 8 more."""
    assert parameters(network()) == (30 + 20) * 8 + 20
    assert parameters(network(user=[{"width": 16}])) == (30 + 20) * 8 + 20 + 280
    assert parameters(network(item=[{"width": 16}], similarity="cosine")) == (30 + 20) * 8 + 20 + 280 + 1


def test_without_layers_it_is_matrix_factorisation() -> None:
    own = network()
    users, items, bias = own.users.weight, own.items.weight, own.bias
    torch.nn.init.normal_(bias)
    assert torch.allclose(own(torch.tensor([3, 0])), users[[3, 0]] @ items.T + bias, atol=1e-6)


def test_cosines_do_not_depend_on_lengths() -> None:
    own = network(similarity="cosine")
    before = own(torch.tensor([3]))
    with torch.no_grad():
        own.users.weight *= 7
    assert torch.allclose(own(torch.tensor([3])), before, atol=1e-5)
    assert before.abs().max() <= 10.001


@pytest.mark.parametrize("spec", [TaskSpec("a", InputSpec((4,)), (4,)), TaskSpec("b", SHOP.input, (8, 7))])
def test_other_tasks_are_refused(spec: TaskSpec) -> None:
    with pytest.raises(ValueError, match=r"^two_tower (builds networks for the number of a user|gives a score for)"):
        SPACES["two_tower"]().check_task(spec)
