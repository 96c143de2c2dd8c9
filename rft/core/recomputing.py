"""Gradient checkpointing: activations of a layer are computed again for its gradient, so that fewer are held.

recompute_layers(model, on=True)
"""

from __future__ import annotations

from rft.core.model import Model


def recompute_layers(model: Model, *, on: bool) -> None:
    """Switch it on or off, for a model with adapters too; transformers 5.23 renamed it."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    name = "activation" if hasattr(base, "activation_checkpointing_enable") else "gradient"
    if on:
        getattr(base, f"{name}_checkpointing_enable")({"use_reentrant": False})
    else:
        getattr(base, f"{name}_checkpointing_disable")()


def is_recomputing(model: Model) -> bool:
    """Whether it is on."""
    return any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
