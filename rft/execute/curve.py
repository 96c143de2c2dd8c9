"""The training curve that a cell's folder keeps of its model, so that a copied study shows it without the store.

    thinned(stage_folder.curve())        # at most MAX_POINTS points of curve.jsonl

A row is one of the stage's own curve: {"step": 40, "loss_nats": 1.3, "lr": 0.003, "target_tokens": 9120, "elapsed_s": 1.2}.
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.stages.weights import CurvePoint

MAX_POINTS = 400  # as many as a screen is wide


def thinned(curve: Sequence[CurvePoint], *, most: int = MAX_POINTS) -> list[CurvePoint]:
    """The first point, every n-th after it, and the last: `most` points or fewer."""
    if len(curve) <= most:
        return list(curve)
    step = -(-(len(curve) - 1) // (most - 1))
    return [*curve[: len(curve) - 1 : step], curve[-1]]
