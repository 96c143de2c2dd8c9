"""`rft plot DIR ...`: figures, tables, fits and claims; the same as `python analysis/plot_scaling.py`.

rft plot multirun_outputs/quickstart
rft plot --paper --out figures
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Hand over to analysis.plot_scaling."""
    from analysis import plot_scaling

    return plot_scaling.main(arguments)
