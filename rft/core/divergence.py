"""Whether a loss has exploded: not finite, or far above where it has been.

    >>> watch = LossWatch()
    >>> [watch.fault(loss) for loss in [2.0] * 10 + [1.0] * 10]       # nothing to say
    [None, None, None, None, None, None, None, None, None, None, None, None, None, None, None, None, None, None, None, None]
    >>> [watch.fault(9.0) for _ in range(5)][-1]
    'stays 5 nats or more above its best level (1.000, a mean of 10 steps) for 5 steps'
    >>> LossWatch().fault(float("nan"))
    'is not finite'

Five nats are a perplexity 148 times as large, more than from a good model to one that knows word frequencies alone: a
training that merely learns badly (a learning rate at the end of a grid) goes on and is reported as what it is. A single bad
batch says nothing.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

RISE_NATS = 5.0
NUM_LEVEL = 10  # steps whose mean is a level
PATIENCE = 5  # steps in a row


class TrainingDivergedError(RuntimeError):
    """The loss exploded."""


@dataclass
class LossWatch:
    """Told every loss, in order."""

    best: float = math.inf  # lowest mean of NUM_LEVEL losses in a row
    recent: deque[float] = field(default_factory=lambda: deque(maxlen=NUM_LEVEL))
    num_high: int = 0  # losses in a row that lie too high

    def fault(self, loss_nats: float) -> str | None:
        """What is wrong with the loss after this one; None where nothing is."""
        if not math.isfinite(loss_nats):
            return "is not finite"
        self.recent.append(loss_nats)
        if len(self.recent) == NUM_LEVEL:
            self.best = min(self.best, sum(self.recent) / NUM_LEVEL)
        self.num_high = self.num_high + 1 if loss_nats >= self.best + RISE_NATS else 0
        if self.num_high < PATIENCE:
            return None
        level = f"{self.best:.3f}, a mean of {NUM_LEVEL} steps"
        return f"stays {RISE_NATS:g} nats or more above its best level ({level}) for {PATIENCE} steps"
