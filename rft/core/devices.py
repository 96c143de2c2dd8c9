"""Tensors from the processor to where a model computes, without making it wait.

inputs_BT = to_device(batch.inputs_BT, model.device)
"""

from __future__ import annotations

import torch


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A copy on the device; the tensor itself where it is there already.

    From ordinary memory a GPU copies only when all work before it is done; from page-locked memory the copy is queued.
    """
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
