"""Settings of the embedded world that its tests share."""

from __future__ import annotations

import dataclasses

from rft.config import WorldConfig

EASY = WorldConfig(
    min_steps=2,
    max_steps=3,
    num_graphs=128,
    max_distractors=0,
    human_style=0.9,
    composed_frac=0.1,
    seed=0,
    max_value=60,
)
MIDDLE = dataclasses.replace(EASY, min_steps=3, max_steps=5, num_graphs=2000, max_distractors=2, max_value=100)
