"""`rft report DIR ...`: the figures of `rft plot`, and one HTML file with them that opens from disk.

rft report multirun_outputs/quickstart     # .../figures/report.html
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.cli import plot


def main(arguments: Sequence[str]) -> int:
    """`rft plot --report`."""
    return plot.main([*arguments, "--report"])
