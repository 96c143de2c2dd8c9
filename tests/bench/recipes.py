"""The recipe of nano-s that stood before 2026-11-28 (commit 238a584), by today's keys.

AdamW for all weights, no start that copies or knows numbers, all tokens alike in the loss, 3.0M tokens, SFT at 3e-3.
"""

from __future__ import annotations

EARLIER_TOKENS = 3_000_000
EARLIER_RECIPE = (
    "model.arch.copying_start=false",
    "model.arch.number_start=0",
    "model.pretrain.optimizer=adamw",
    "model.pretrain.matrix_lr=null",
    "model.pretrain.determined_weight=1",
    "model.lr=3e-3",
)
