"""Estimates of what is unknown before it is computed: how many paths are kept, how large a model is. Never in an identity.

>>> round(expected_kept(512, draws=16, policy="paper"))       # paths that 512 questions x 16 draws leave
1150
"""

from __future__ import annotations

from dataclasses import dataclass

from rft.config import ModelConfig
from rft.config.reading import unnoted
from rft.text.selection import POLICIES

ASSUMED_PATHS_K1 = (
    0.61  # new distinct paths per question at k = 1, and their growth with k: training sizes of the paper's
)
ASSUMED_PATHS_POWER = 0.47  # Table 5 (12K at k = 1, 47K at k = 100)
ASSUMED_CORRECT_FRAC = 0.6  # of sampled paths, where none is dropped: the paper's Table 1 has 0.53 to 0.72 up to 13B
EMBEDDED_VOCAB = 250  # about: a tokenizer is made with its corpus, and has 248 tokens in the worlds of conf/
BYTES_PER_SAMPLE_TOKEN = 2.0  # gzipped text
BYTES_PER_EXAMPLE = 600.0
BYTES_PER_PROBLEM = 1_000.0
BYTES_PER_PATH = 400.0


@dataclass(frozen=True)
class ModelSize:
    """Counts that cost estimates need."""

    num_params: float
    num_params_non_embedding: float


def model_size(model: ModelConfig) -> ModelSize:
    """Parameters of a model: as configured for models that are elsewhere, computed from the shape for those made here."""
    model = unnoted(model)
    if model.arch is None:
        total = float(model.num_params or 0)
        return ModelSize(total, float(model.num_params_non_embedding or total))
    arch = model.arch
    kv_width = arch.width * arch.num_kv_heads // arch.num_heads
    per_layer = 2 * arch.width**2 + 2 * arch.width * kv_width + 3 * arch.width * arch.mlp_width
    body = float(arch.num_layers * per_layer)
    return ModelSize(body + EMBEDDED_VOCAB * arch.width, body)


def expected_kept(num_questions: int, *, draws: int, policy: str) -> float:
    """Estimated number of kept paths; `draws` is the number of draws per question, over all donors."""
    if POLICIES[policy].dedup == "none":
        return num_questions * ASSUMED_CORRECT_FRAC * draws
    return num_questions * ASSUMED_PATHS_K1 * draws**ASSUMED_PATHS_POWER
