"""Models that have shapes and no numbers, to count what real ones of them would hold: a 70B model in a moment, anywhere.

    shape = ModelShape(num_layers=32, width=4096, num_heads=32, num_kv_heads=32, mlp_width=11008, vocab=32000)
    counted(shape, width=512, autocast="bfloat16").memory(8192, shards=1, recomputing=True)     # rft.core.memory

Two models of few equal layers are counted, and the straight line through them leads to as many as there are. Of the Llama
form (Mistral, and Qwen2 but for its biases). Their forward pass is transformers' own, as on a GPU, not the lean one that
Llama models take here on processors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import LlamaConfig, LlamaForCausalLM

from rft.core.batching import MicroBatch
from rft.core.lora import add_lora
from rft.core.memory import Counted, deeper
from rft.core.model import Model
from rft.core.recomputing import recompute_layers

FEW_LAYERS = (1, 2)


@dataclass(frozen=True)
class ModelShape:
    """As config.json has it."""

    num_layers: int
    width: int
    num_heads: int
    num_kv_heads: int
    mlp_width: int
    vocab: int
    tied: bool = False

    @property
    def cache_numbers(self) -> int:
        """Keys and values of one token, in all layers."""
        return 2 * self.num_layers * self.num_kv_heads * (self.width // self.num_heads)


class _OnAccelerator(LlamaForCausalLM):
    """Has no lean path, which goes by the name of the class."""


def counted(shape: ModelShape, *, width: int, autocast: str | None, lora_rank: int | None = None) -> Counted:
    """Of rows of `width` tokens, each a target: the most that a micro-batch can ask for."""
    few = [
        Counted.of(
            model_of(replace(shape, num_layers=layers), lora_rank=lora_rank), rows_of(2, width=width), autocast=autocast
        )
        for layers in FEW_LAYERS
    ]
    return deeper(*few, layers=shape.num_layers)


def model_of(shape: ModelShape, *, lora_rank: int | None = None) -> Model:
    """A model without numbers, with gradient checkpointing; with adapters, where they have a rank."""
    config = LlamaConfig(
        vocab_size=shape.vocab,
        hidden_size=shape.width,
        intermediate_size=shape.mlp_width,
        num_hidden_layers=shape.num_layers,
        num_attention_heads=shape.num_heads,
        num_key_value_heads=shape.num_kv_heads,
        tie_word_embeddings=shape.tied,
        attn_implementation="sdpa",
    )
    with torch.device("meta"):
        model: Model = _OnAccelerator(config)
        if lora_rank is not None:
            model = add_lora(model, rank=lora_rank, alpha=lora_rank, seed=0)
    recompute_layers(model, on=True)
    _move(model, FakeTensorMode())
    return model


def _move(model: Model, mode: FakeTensorMode) -> None:
    """From the device `meta` to one that is made believe: on `meta` attention is written out, and would hold its scores."""
    moved: dict[int, torch.Tensor] = {}  # tied weights stay one

    def there(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) not in moved:
            with mode:
                fresh = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu")
                moved[id(tensor)] = (
                    nn.Parameter(fresh, requires_grad=tensor.requires_grad)
                    if isinstance(tensor, nn.Parameter)
                    else fresh
                )
        return moved[id(tensor)]

    for module in model.modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in list(held.items()):
                if tensor is not None:
                    held[name] = there(tensor)


def rows_of(count: int, *, width: int) -> MicroBatch:
    """Full rows, each token a target."""
    num_tokens = count * width
    zeros = torch.zeros(num_tokens, dtype=torch.int64)
    return MicroBatch(zeros.reshape(count, width), torch.arange(num_tokens), zeros)
