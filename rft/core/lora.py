"""LoRA through peft, for those who cannot fine-tune in full: adapters on every linear layer but the output head.

model = add_lora(model, rank=16, alpha=32, seed=0)
...train...
model = merge_lora(model)        # a plain model again: sampling and scoring know nothing of adapters
"""

from __future__ import annotations

from rft.core.model import Model
from rft.core.seeding import seed_torch


def add_lora(model: Model, *, rank: int, alpha: int, seed: int) -> Model:
    """The model with trainable adapters and frozen weights. Raises ValueError when peft is not installed or rank < 1."""
    if rank < 1:
        raise ValueError(f"train.lora_rank must be at least 1, got {rank}")
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ValueError("train.lora_rank needs peft, which is not installed: pip install '.[lora]'") from error
    seed_torch(seed)
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules="all-linear", task_type="CAUSAL_LM")
    return get_peft_model(model, config)


def merge_lora(model: Model) -> Model:
    """The base model with the adapters added into its weights."""
    return model.merge_and_unload()
