"""Transformers have the sizes of published ones and look where their mixers say, whatever tokens are made of."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from evonas.config import TargetConfig, TrainingConfig
from evonas.evaluation.untrained.costs import kv_cache_mb, multiply_accumulates, parameters
from evonas.exporters import EXPORTERS, written
from evonas.inputs import example
from evonas.measuring.backends.backend import BACKENDS
from evonas.records import InputSpec, TaskSpec
from evonas.spaces import SPACES
from evonas.spaces.mixers import Attention, Full, Linear, Local
from evonas.testing import check_space
from evonas.testing.examples import batch
from tests.spaces.transformers import IMAGES, LENGTH, MIXERS, SERIES, TEXT, VECTORS, arch, built

SPECS = {"text": TEXT, "series": SERIES, "images": IMAGES, "vectors": VECTORS}


def published(spec: TaskSpec, layers: int, heads: int, width: int, patch: int, pool: str) -> nn.Module:
    """As ViT and GPT-2 have it: heads of 64, a network for each token four times as wide, layer normalisation."""
    space = SPACES["transformer"](
        widths=width, layers=[layers, layers], heads=heads, head_sizes=64, patches=patch, pools=[pool], mixers=["full"]
    )
    block = {"mixer": {"kind": "full", "heads": heads, "queries": 1}, "ratio": 4}
    others = {"width": width, "head_size": 64, "norm": "layer", "positions": "learned", "gated": False, "patch": patch}
    with torch.device("meta"):
        whole = arch(**others, pool=pool, blocks=[block] * layers)
        return space.build(space.decode(space.encode(whole)), spec)


@pytest.mark.parametrize(("pool", "fewer"), [("class", 0), ("mean", 192 + 192)])
def test_vit_tiny(pool: str, fewer: int) -> None:
    """DeiT-Ti (Touvron et al. 2021) of patches of 16 at 224 has 5,717,416 parameters by timm (deit_tiny_patch16_224).

    Without the token for the class there are that and its position less.
    """
    spec = TaskSpec("imagenet", InputSpec((3, 224, 224)), (1000,))
    assert parameters(published(spec, 12, 3, 192, 16, pool)) == 5_717_416 - fewer


def test_the_products_of_attention_are_counted() -> None:
    """One block of DeiT-Ti: 197 tokens of 192. Patches, then queries, keys, values and output, the network of each
    token, and two products of all tokens with all; ten blocks more of the last three give the 1.25 GMACs of all 12."""
    spec = TaskSpec("imagenet", InputSpec((3, 224, 224)), (1000,))
    network = published(spec, 1, 3, 192, 16, "class").to_empty(device="cpu")
    block = 197 * (4 * 192 * 192 + 8 * 192 * 192) + 2 * 197 * 197 * 192
    assert multiply_accumulates(network, spec.input) == 196 * 768 * 192 + block + 192 * 1000
    assert 196 * 768 * 192 + 12 * block + 192 * 1000 == 1_253_683_200


def test_gpt2() -> None:
    """GPT-2 (Radford et al. 2019) has 124,439,808 parameters, where the head is the embedding; ours is one of its own,
    with a bias."""
    spec = TaskSpec("text", InputSpec((1024,), "int64", 50257), (1024, 50257))
    assert parameters(published(spec, 12, 12, 768, 4, "mean")) == 124_439_808 + 768 * 50257 + 50257


@pytest.mark.parametrize(("mixer", "products"), [("full", 43 * 43), ("local", 6 * 8 * 16), ("linear", None)])
def test_what_mixers_multiply(mixer: str, products: int | None) -> None:
    """Of 43 tokens: full, each with each; local, six blocks of 8 with themselves and those before. Linear, two chunks
    of 32 in themselves, sums of keys times values, and queries times these; a column is the sum of the weights."""
    heads, size = (4, 8) if mixer == "linear" else (2, 8)
    count = (
        2 * 32 * 32 * (size + size + 1) + 2 * 2 * 32 * size * (size + 1) if products is None else 2 * products * size
    )
    kind = MIXERS[mixer]
    rows = (
        43 * 24 * (2 * kind["heads"] * kind["queries"] + 2 * kind["heads"]) * 8
    )  # queries and output, keys and values
    forward = 43 * 3 * 24 * 32  # SwiGLU: two thirds of 48
    assert multiply_accumulates(built(TEXT, mixer), TEXT.input) == heads * count + rows + forward + 43 * 24 * 7


@pytest.mark.parametrize("positions", ["learned", "rotary"])
@pytest.mark.parametrize(("mixer", "reach"), [("full", 43), ("grouped", 43), ("local", 8), ("linear", 43), ("conv", 3)])
def test_no_place_sees_what_is_behind_it(mixer: str, reach: int, positions: str) -> None:
    network = built(TEXT, mixer, positions=positions)
    text = torch.randint(7, (1, LENGTH))
    for place in (0, 7, 8, 30, 33, LENGTH - 1):
        other = text.clone()
        other[0, place] = (text[0, place] + 1) % 7
        with torch.no_grad():
            changed = (network(text) != network(other)).any(2)[0]
        assert changed.nonzero().flatten().tolist() == list(range(place, min(place + reach, LENGTH)))


def test_all_places_see_each_other_where_one_answer_is_given_and_a_window_both_sides() -> None:
    x = torch.randn(1, 2, LENGTH, 8)
    for mixing, reach in (
        (Full(causal=False), LENGTH),
        (Linear(LENGTH, causal=False), LENGTH),
        (Local(5, LENGTH, 2, causal=False), 4),
    ):
        other = x.clone()
        other[:, :, 20] += 1
        changed = (mixing(x, x, x) != mixing(other, other, other)).any(3).all(1)[0]
        assert changed.nonzero().flatten().tolist() == list(range(max(0, 20 - reach), min(20 + reach + 1, LENGTH)))


@pytest.mark.parametrize("causal", [False, True])
def test_mixers_compute_what_is_written_down(causal: bool) -> None:
    """Against weights of all tokens with all, which the blocks and chunks save."""
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, LENGTH, 8)
    far = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    seen = far >= 0 if causal else far == far
    masked = F.scaled_dot_product_attention(q, k, v, attn_mask=seen & (far.abs() < 7))
    assert torch.allclose(Local(7, LENGTH, 3, causal)(q, k, v), masked, atol=1e-5)
    weights = ((F.elu(q) + 1) @ (F.elu(k) + 1).transpose(2, 3)) * seen
    wanted = weights / weights.sum(3, keepdim=True) @ v
    assert torch.allclose(Linear(LENGTH, causal)(q, k, v), wanted, atol=1e-4)


def test_queries_that_share_a_head_are_those_of_repeated_keys_and_values() -> None:
    torch.manual_seed(0)
    one, two = (Attention(24, 8, heads, 4 // heads, Full(causal=True), nn.Identity(), 0) for heads in (2, 4))
    state = one.state_dict()
    for name in ("key", "value"):
        for kind in ("weight", "bias"):
            state[f"{name}.{kind}"] = state[f"{name}.{kind}"].unflatten(0, (2, 8)).repeat_interleave(2, 0).flatten(0, 1)
    two.load_state_dict(state)
    x = torch.randn(2, LENGTH, 24)
    assert torch.allclose(one(x), two(x), atol=1e-6)


def test_rotary_attention_knows_distances_alone() -> None:
    """Equal tokens, of which one is another: what tokens as far behind two such give is the same."""
    network = built(TaskSpec("t", InputSpec((2, 32)), (32, 4)), "full")
    attention = network[2].mixer[1]
    q, k = (attention.rotary(torch.ones(1, 1, 32, 8) * row) for row in (1.0, 2.0))
    products = (q @ k.transpose(2, 3))[0, 0]
    assert torch.allclose(products[5:, 5:], products[:-5, :-5], atol=1e-5)
    assert not torch.allclose(products[0, 1:], products[0, :-1], atol=1e-2)


def test_what_a_cache_keeps() -> None:
    """Keys and values of 43 tokens, of the window, a matrix and a sum a head, and two tokens of a convolution, in four
    bytes a number; nothing where there is one answer for all."""
    expected = {"full": 2 * 2 * 8 * 43, "grouped": 2 * 8 * 43, "local": 2 * 8 * 8, "linear": 2 * 8 * 9, "conv": 2 * 24}
    unused: Any = None
    for mixer, numbers in expected.items():
        assert kv_cache_mb(built(TEXT, mixer), unused, unused, TrainingConfig()) == 4 * numbers / 1e6
    assert kv_cache_mb(built(SERIES, *MIXERS), unused, unused, TrainingConfig()) == 0
    assert kv_cache_mb(nn.Linear(2, 2), unused, unused, TrainingConfig()) == 0


@pytest.mark.parametrize("name", SPECS)
def test_the_contract_holds_for_all_it_takes(name: str) -> None:
    check_space(SPACES["transformer"](pools=["mean", "class"]), SPECS[name], samples=20, networks=3)


def test_answers_at_each_place_of_a_series_and_frames_that_are_no_whole_number() -> None:
    assert built(TaskSpec("t", InputSpec((3, 16)), (16, 2)), "conv")(torch.randn(2, 3, 16)).shape == (2, 16, 2)
    network = built(SERIES, "full", frame=4, pool="class")
    assert network(torch.randn(2, 3, LENGTH)).shape == (2, 4)
    assert network[0](torch.randn(2, 3, LENGTH)).shape == (2, 11, 24)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (TaskSpec("a", InputSpec((2, 3, 4, 5)), (4,)), r"^transformer builds networks for tokens \(length,\)"),
        (TaskSpec("b", TEXT.input, (8, 7)), r"^transformer gives \(outputs,\), or for tokens and series"),
        (TaskSpec("c", InputSpec((3, 8, 8)), (8, 8)), r"^transformer gives \(outputs,\), or for tokens and series"),
        (TaskSpec("d", InputSpec((3, 8)), (8, 2)), r"^frames: takes 1 where there is an answer at each place"),
    ],
)
def test_other_tasks_are_refused(spec: TaskSpec, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SPACES["transformer"](frames=[1, 2]).check_task(spec)


def test_genes_of_mixers_that_are_not_there_do_not_count() -> None:
    space = SPACES["transformer"](layers=[2, 2])
    genome = space.encode(arch("conv", "full", width=32, head_size=16))
    off = {gene.name for gene, on in zip(space.genes, space.active(genome), strict=True) if not on}
    assert {"blocks.0.mixer.local.window", "blocks.0.mixer.full.heads", "blocks.1.mixer.conv.kernel"} <= off
    assert not {"blocks.0.mixer.conv.kernel", "blocks.1.mixer.full.heads", "blocks.1.ratio", "width"} & off
    changed = list(genome)
    changed[[gene.name for gene in space.genes].index("blocks.0.mixer.local.window")] = 2
    assert space.identity(tuple(changed)) == space.identity(genome)


@pytest.mark.parametrize("name", SPECS)
def test_a_network_in_half_precision_and_its_gradients_are_finite(name: str) -> None:
    network = built(SPECS[name], *MIXERS, dropout=0.1).train()
    with torch.autocast("cpu", torch.bfloat16):
        network(batch(SPECS[name].input, 3)).float().square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


CASES = {
    "text": {},
    "series": {"pool": "class", "norm": "layer", "gated": False, "positions": "learned", "frame": 2},
    "images": {"pool": "class"},
    "vectors": {"positions": "learned"},
}


@pytest.mark.parametrize("name", CASES)
def test_the_code_of_a_network_is_of_its_layers(name: str) -> None:
    network, x = built(SPECS[name], *MIXERS, **CASES[name]), batch(SPECS[name].input, 2)
    file, _ = written(EXPORTERS["py"], network, x)
    assert "nn.Linear(" in file.decode()


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pt2", "onnx", "py"])
@pytest.mark.parametrize("name", CASES)
def test_files_compute_what_the_network_does_for_any_number_of_examples(name: str, form: str) -> None:
    network, exporter = built(SPECS[name], *MIXERS, **CASES[name]), EXPORTERS[form]
    file, _ = written(exporter, network, batch(SPECS[name].input, 2))
    assert exporter.run
    for count in (1, 3):
        x = batch(SPECS[name].input, count, seed=count)
        with torch.no_grad():
            assert np.allclose(exporter.run(file, x.numpy()), network(x).numpy(), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["onnxruntime", "openvino", "torch.compile"])
@pytest.mark.parametrize("name", CASES)
def test_backends_compute_what_the_network_does(name: str, backend: str) -> None:
    pytest.importorskip(backend.partition(".")[0])
    network, inputs = built(SPECS[name], *MIXERS, **CASES[name]), SPECS[name].input
    found = BACKENDS[backend]("target", TargetConfig(backend=backend, batch=2)).load(network, inputs).output()
    with torch.no_grad():
        expected = network(torch.from_numpy(example(inputs, 2))).numpy()
    assert np.allclose(found, expected, atol=1e-3 * np.abs(expected).max())
