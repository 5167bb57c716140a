"""Rows of a table as spaces take them in: known sizes, a token a column, and networks of `mlp` behind them."""

import numpy as np
import pytest
import torch

from evonas.evaluation.untrained.costs import parameters
from evonas.inputs import example
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import MLP
from evonas.spaces.column_network import ColumnFeatures, ColumnTokens, embedding_width
from evonas.spaces.columns import are_columns, columns_of
from evonas.spaces.transformer import Transformer
from evonas.testing import check_space

NUMBERS, CATEGORIES = InputSpec((3,)), InputSpec((2,), "int64", 10)
BOTH = {"numbers": NUMBERS, "categories": CATEGORIES}
SPEC = TaskSpec("rows", BOTH, (4,))


def made_up(inputs):
    return {name: torch.from_numpy(part) for name, part in example(inputs, 5).items()}


def test_which_inputs_are_rows_of_a_table() -> None:
    assert are_columns(BOTH)
    assert are_columns({"categories": CATEGORIES})
    assert columns_of(BOTH) == (3, 2, 10)
    assert columns_of(NUMBERS) == (3, 0, 0)
    for others in (NUMBERS, {"numbers": NUMBERS}, {**BOTH, "image": InputSpec((1, 8, 8))}, {"categories": NUMBERS}):
        assert not are_columns(others)
    for others in (CATEGORIES, InputSpec((1, 8, 8)), {"numbers": NUMBERS}):
        with pytest.raises(ValueError, match="rows of a table are numbers"):
            columns_of(others)


def test_features_are_the_numbers_and_the_embeddings_in_order() -> None:
    layer, x = ColumnFeatures(BOTH, 4), made_up(BOTH)
    features = layer(**x)
    assert features.shape == (5, layer.features) == (5, 3 + 2 * 4)
    assert torch.equal(features[:, :3], x["numbers"])
    assert torch.equal(features[:, 7:], layer.embedding.weight[x["categories"][:, 1]])
    assert parameters(layer) == 10 * 4
    assert ColumnFeatures({"categories": CATEGORIES}, 4)(categories=x["categories"]).shape == (5, 8)
    assert embedding_width(BOTH) == 3  # the root of 5 values a column, rounded up


def test_a_token_is_of_one_column() -> None:
    layer, x = ColumnTokens(BOTH, 6), made_up(BOTH)
    tokens = layer(**x)
    assert tokens.shape == (5, layer.tokens, 6) == (5, 5, 6)
    assert parameters(layer) == 3 * 6 + 5 * 6 + 10 * 6  # Gorishniy et al. 2021: a vector and a bias a number
    for column in range(5):
        changed = {name: part.clone() for name, part in x.items()}
        if column < 3:
            changed["numbers"][:, column] += 1
        else:
            changed["categories"][:, column - 3] = (changed["categories"][:, column - 3] + 1) % 10
        moved = (layer(**changed) - tokens).abs().sum((0, 2)) > 0
        assert moved.tolist() == [place == column for place in range(5)]


def test_mlp_takes_rows_with_categories() -> None:
    space = MLP(layers=(1, 2), widths=(4, 8))
    check_space(space, SPEC)
    periodic = MLP(layers=(1, 1), widths=4, blocks=("gated",), embeddings=("periodic",), embedding_widths=6)
    check_space(periodic, SPEC)
    built = periodic.build(periodic.decode(periodic.sample(np.random.default_rng(0))), SPEC)
    assert built.columns.features == 3 * 6 + 2 * 3
    network = space.build(space.decode(space.sample(np.random.default_rng(0))), SPEC)
    assert network(**made_up(BOTH)).shape == (5, 4)
    with pytest.raises(ValueError, match=r"not for numbers: 3, .*image: 1 x 8 x 8"):
        space.check_task(TaskSpec("other", {**BOTH, "image": InputSpec((1, 8, 8))}, (4,)))


def test_a_transformer_has_a_token_for_each_column_and_may_have_one_for_the_class() -> None:
    space = Transformer(widths=8, layers=(1, 2), head_sizes=4, pools=("mean", "class"))
    check_space(space, SPEC)
    arch = space.decode(space.sample(np.random.default_rng(0)))
    network = space.build(arch, SPEC)
    assert isinstance(network.columns, ColumnTokens)
    assert network(**made_up(BOTH)).shape == (5, 4)
    with pytest.raises(ValueError, match="rows of a table"):
        space.check_task(TaskSpec("rows", BOTH, (5, 4)))
