"""A tiny random model of each family that people bring, with a byte tokenizer: any text can be read, nothing is downloaded.

folder = write_own_model(tmp_path / "mine", "gpt_neox")      # a plain Hugging Face folder of the family, one layer
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

from rft.core.model import save_model
from tests.byte_model import byte_tokenizer

FAMILIES = ("llama", "qwen2", "qwen3", "gpt2", "gpt_neox", "gemma", "phi", "olmo", "mistral")
SIZES: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
    "max_position_embeddings": 2048, "head_dim": 8,
}  # fmt: skip
GPT2_SIZES: dict[str, Any] = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 2048}
IDS: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "initializer_range": 0.05}
LACKS = {"gpt_neox": ("num_key_value_heads", "head_dim"), "phi": ("head_dim",)}


def own_model(family: str, **changes: Any) -> Any:
    """A model of a family, by transformers' name of it."""
    sizes = GPT2_SIZES if family == "gpt2" else {k: v for k, v in SIZES.items() if k not in LACKS.get(family, ())}
    config = CONFIG_MAPPING[family](**{"vocab_size": len(byte_tokenizer()), **sizes, **IDS, **changes})
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config)


def write_own_model(folder: Path, family: str, *, dtype: torch.dtype = torch.float32, **changes: Any) -> Path:
    """The model's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    save_model(own_model(family, **changes).to(dtype), byte_tokenizer(), folder)
    return folder
