"""LoRA through peft, for those who cannot fine-tune in full: adapters on every linear layer but the output head.

model = add_lora(model, rank=16, alpha=32, seed=0)
...train...
model = merge_lora(model)        # a plain model again: sampling and scoring know nothing of adapters
"""

from __future__ import annotations

import warnings

from rft.core.model import Model
from rft.core.seeding import seed_torch


def add_lora(model: Model, *, rank: int, alpha: int, seed: int, targets: str = "all-linear") -> Model:
    """The model with trainable adapters and frozen weights; their output, scaled by alpha / rank, is 0 at the start.

    The base is changed in place. Raises ValueError when peft is not installed or rank < 1.
    """
    if rank < 1:
        raise ValueError(f"train.lora_rank must be at least 1, got {rank}")
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise ValueError("train.lora_rank needs peft, which is not installed: pip install '.[lora]'") from error
    seed_torch(seed)
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=0.0,  # no randomness but the start: micro-batches would change what is dropped
        target_modules=targets,
        fan_in_fan_out=model.config.model_type == "gpt2",  # its Conv1D holds the transposed matrix
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():  # peft asks transformers 5 by a name that 6 will drop
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        return get_peft_model(model, config)


def merge_lora(model: Model) -> Model:
    """The base model with the adapters added into its weights; a model without adapters as it is."""
    return model.merge_and_unload() if hasattr(model, "merge_and_unload") else model


def without_lora(model: Model) -> Model:
    """The base model as it was before `add_lora`, all its weights trainable; a model without adapters as it is."""
    if not hasattr(model, "unload"):
        return model
    return model.unload().requires_grad_(True)
