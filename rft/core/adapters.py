"""A model that was trained with adapters, taken apart again: the adapters as peft keeps them, beside the base.

    split_adapter(base_folder, tuned_folder, rank=16, alpha=32, out=Path("adapter"), base_name="Qwen/Qwen2.5-0.5B")
    PeftModel.from_pretrained(base, "adapter")      # computes what the tuned model computes, up to rounding

Training merges adapters into the weights (rft.core.lora), so that a finished model is a plain one. What they added is the
difference to the base, of rank `rank` up to the rounding of float32, and a singular value decomposition gives two factors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from rft.core.lora import add_lora
from rft.core.model import load_model

ADAPTER = "default"  # peft's name of the only adapter
ROUNDING = 1e-6  # of a merged weight in float32, as a share of the largest weight of its matrix; with room


def split_adapter(base: Path, tuned: Path, *, rank: int, alpha: int, out: Path, base_name: str) -> None:
    """Write the adapter's folder. Raises ValueError when the tuned model is more than the base with such an adapter."""
    merged = dict(load_model(tuned, device="cpu", dtype="float32").named_parameters())
    model = add_lora(load_model(base, device="cpu", dtype="float32"), rank=rank, alpha=alpha, seed=0)
    with torch.no_grad():
        for name, layer in _adapted(model):
            _set_factors(layer, merged.pop(f"{name}.weight"), name=name)
        _refuse_other_changes(model, merged)
    model.peft_config[ADAPTER].base_model_name_or_path = base_name
    model.save_pretrained(str(out), save_embedding_layers=False)  # else peft asks the hub about the base's vocabulary


def _adapted(model: Any) -> list[tuple[str, Any]]:
    """The layers with adapters, by their name in the plain model."""
    found = [(name, layer) for name, layer in model.base_model.model.named_modules() if hasattr(layer, "lora_A")]
    return [(name, layer) for name, layer in found if ADAPTER in layer.lora_A]


def _set_factors(layer: Any, merged: torch.Tensor, *, name: str) -> None:
    added = (merged - layer.base_layer.weight).double()
    by_output = added.T if layer.fan_in_fan_out else added  # (out, in)
    left, sizes, right = torch.linalg.svd(by_output, full_matrices=False)
    rank, root = layer.r[ADAPTER], (sizes / layer.scaling[ADAPTER]).sqrt()
    layer.lora_B[ADAPTER].weight.zero_()
    layer.lora_A[ADAPTER].weight.zero_()
    count = min(rank, len(root))  # a matrix narrower than the rank has fewer directions
    layer.lora_B[ADAPTER].weight[:, :count] = (left[:, :count] * root[:count]).float()
    layer.lora_A[ADAPTER].weight[:count] = (root[:count, None] * right[:count]).float()
    missed = (layer.get_delta_weight(ADAPTER).double() - added).abs().max()
    if missed > ROUNDING * max(1.0, float(merged.abs().max())):
        raise ValueError(
            f"{name} differs from the base by more than an adapter of rank {rank}: {float(missed):.1e} is left over; "
            "export the merged model alone"
        )


def _refuse_other_changes(model: Any, merged: dict[str, torch.Tensor]) -> None:
    """What has no adapter must stand as it was."""
    plain = dict(model.base_model.model.named_parameters())
    for name, value in merged.items():
        if name in plain and not torch.equal(plain[name], value):
            raise ValueError(f"{name} has no adapter and differs from the base: export the merged model alone")
