"""Memory of models that are not here, beside what follows from their published shapes by hand."""

from __future__ import annotations

import functools

import pytest
import torch

from rft.core.accumulation import accumulate
from rft.core.memory import Counted
from rft.core.recomputing import recompute_layers
from rft.core.shapes import ModelShape, counted, model_of, rows_of
from tests.core_tiny import tiny_llama

SHAPES = {  # config.json of the published models, and their parameters as Meta's files have them
    "7B": (ModelShape(32, 4096, 32, 32, 11008, 32000), 6_738_415_616),
    "13B": (ModelShape(40, 5120, 40, 40, 13824, 32000), 13_015_864_320),
    "70B": (ModelShape(80, 8192, 64, 8, 28672, 32000), 68_976_648_192),
}
WIDTH = 512


@functools.cache
def of(name: str, lora_rank: int | None = None) -> Counted:
    return counted(SHAPES[name][0], width=WIDTH, autocast="bfloat16", lora_rank=lora_rank)


@pytest.mark.parametrize("name", SHAPES)
def test_weights_are_the_published_ones(name: str):
    needed = of(name).memory(8192, shards=1, recomputing=True)
    count = SHAPES[name][1]
    assert of(name).weights == of(name).trained == count
    assert (needed.weights, needed.gradients, needed.moments) == (4 * count, 4 * count, 8 * count)
    parts = of(name).memory(8192, shards=8, recomputing=True)
    assert parts.weights + parts.gradients + parts.moments == pytest.approx(16 * count / 8)


@pytest.mark.parametrize("name", ["7B", "13B"])
def test_activations_of_a_token_by_hand(name: str):
    """Products in bfloat16 (2 bytes), norms, residuals and log-probabilities in float32 (4 bytes)."""
    shape = SHAPES[name][0]
    width, heads, mlp = shape.width, shape.num_heads, shape.mlp_width
    norm = 4 * width + 4 * width + 4  # its input, what is scaled by its weight, and one over the root
    inputs = 2 * width * 5  # cast for the query, key, value, gate and up projections each
    attention = 2 * width * 4 + 4 * heads + 2 * WIDTH  # queries, keys, values, result; a sum a head; a row of the mask
    layer = 2 * norm + inputs + attention + 2 * mlp * 4  # gate, its activation, up, their product
    outside = norm + 2 * width + 4 * shape.vocab  # last norm, the head's input, log-probabilities
    assert of(name).plain.each == shape.num_layers * layer + outside
    recomputed = of(name).recomputed
    assert recomputed is not None
    assert recomputed.each == shape.num_layers * 4 * width + outside  # of a layer its input alone


def test_weights_cast_for_the_products_are_held_by_a_pass_that_keeps_its_activations():
    plain, count = of("7B").plain, SHAPES["7B"][1]
    matrices = count - 32000 * 4096 - (2 * 32 + 1) * 4096  # but the table of embeddings and the norms
    assert plain.saved - plain.each * plain.tokens == pytest.approx(2 * matrices, rel=0.001)


def test_adapters_have_the_parameters_of_their_rank():
    shape, count = SHAPES["7B"]
    width, mlp = shape.width, shape.mlp_width
    adapters = 16 * shape.num_layers * (4 * (width + width) + 3 * (width + mlp))  # r (in + out) a projection
    assert of("7B", 16).trained == adapters
    needed = of("7B", 16).memory(2048, shards=1, recomputing=True)
    assert needed.weights == 4 * (count + adapters)
    assert needed.gradients + needed.moments == 12 * adapters


def test_what_shards_gather_is_two_layers_and_what_lies_outside_them():
    shape, count = SHAPES["7B"]
    outside = 2 * shape.vocab * shape.width + shape.width
    layer = (count - outside) // shape.num_layers
    assert of("7B").gathered == 2 * layer + outside + (layer + outside)  # weights, then one layer's gradients
    assert of("7B").memory(2048, shards=1, recomputing=True).gathered == 0


def test_the_line_through_two_depths_meets_a_third():
    shape = ModelShape(5, 64, 4, 2, 128, 300)
    direct = Counted.of(model_of(shape), rows_of(2, width=32), autocast="bfloat16")
    line = counted(shape, width=32, autocast="bfloat16")
    assert (line.weights, line.trained, line.gathered) == (direct.weights, direct.trained, direct.gathered)
    assert vars(line.plain) == pytest.approx(vars(direct.plain))
    assert vars(line.recomputed) == pytest.approx(vars(direct.recomputed))


@pytest.mark.parametrize("recomputing", [False, True])
def test_layers_that_are_computed_again_keep_no_copies_of_all_weights(recomputing: bool):
    """autocast keeps a bfloat16 copy of every weight for as long as a forward pass, unless it is told not to."""
    model, seen = tiny_llama(), []
    recompute_layers(model, on=recomputing)
    model.train()
    model.get_output_embeddings().register_forward_hook(lambda *_: seen.append(torch.is_autocast_cache_enabled()))
    accumulate(model, [rows_of(2, width=8)], autocast="bfloat16")
    assert set(seen) == {not recomputing}
