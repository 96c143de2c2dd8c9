"""Which models vLLM can serve on a processor, told before anything runs: its attention there knows few sizes of a head.

    vllm_refusal(head_size(folder), device="cpu")     # None, or "its attention heads have 8 numbers, on a CPU vLLM ..."

On a GPU nothing is known against a model from its files; vLLM says so itself when it opens one.
"""

from __future__ import annotations

import json
from pathlib import Path

from rft.core.checkpoints import CONFIG_FILE

CPU_HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)  # vLLM 0.32, v1/attention/backends/cpu_attn.py
WIDTHS, HEADS = ("hidden_size", "n_embd", "d_model"), ("num_attention_heads", "n_head", "n_heads")


def head_size(folder: Path) -> int | None:
    """Numbers of one attention head, as config.json says; None where it does not."""
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    if config.get("head_dim"):
        return int(config["head_dim"])
    width, heads = (next((config[name] for name in names if config.get(name)), None) for names in (WIDTHS, HEADS))
    return None if width is None or heads is None else int(width) // int(heads)


def vllm_refusal(size: int | None, *, device: str) -> str | None:
    """Why vLLM cannot serve a model with heads of this size; None where nothing is known against it."""
    if device.startswith("cuda") or size is None or size in CPU_HEAD_SIZES:
        return None
    sizes = ", ".join(map(str, CPU_HEAD_SIZES))
    return f"its attention heads have {size} numbers, and on a CPU vLLM takes heads of {sizes}"
