"""How a cost grows with one amount: the exponent of a power law through its measured points.

    growth = Growth("k", "solutions a question", (10, 30, 100), (0.2, 0.7, 2.1), of="selection")
    growth.exponent           # LineFit of log2 cost on log2 amount, its slope the exponent; NotEnough with under three points

An exponent of 1 is a cost in proportion, under 1 one with a fixed part, 2 one of every pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.stats.linear import LineFit, NotEnough, fit_line


@dataclass(frozen=True)
class Growth:
    """What an amount cost at several sizes."""

    name: str  # of the amount: size, length, k, problems, cells
    unit: str  # of the amount
    amounts: tuple[float, ...]  # ascending
    cpu_s: tuple[float, ...]  # processor seconds, one an amount
    of: str  # what was done

    @property
    def exponent(self) -> LineFit | NotEnough:
        """The line through the points on logarithmic axes. Its interval is of the points about it, not of repeated runs."""
        return fit_line(np.log2(self.amounts), np.log2(self.cpu_s), what=f"growth with {self.name}")
