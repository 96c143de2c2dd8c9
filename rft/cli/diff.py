"""`rft diff A B`: what two studies, or two cells, differ in: configuration, versions, data, scores, flipped problems.

    rft diff multirun_outputs/old multirun_outputs/new
    rft diff multirun_outputs/mine/nano-s_sft_f1_s0-1a2b3c4d multirun_outputs/mine/nano-s_rft_f1_k4_s0-5e6f7a8b --flips 10

A and B are folders of studies, live or archived, or of cells, DIR/CELL. Cells of two studies stand beside each other that
have one setting and the same seeds. The paired test is McNemar's, exact, of the two checkpoints as they are: it says nothing
about new draws, as the verdicts of `rft plot` do.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

FLIPS = 3


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, print; 2 with a message for what is no study."""
    parser = argparse.ArgumentParser(prog="rft diff", description="What two studies or two cells differ in.")
    parser.add_argument("a", type=Path, metavar="A", help="a study, or a cell: DIR/CELL")
    parser.add_argument("b", type=Path, metavar="B", help="another")
    parser.add_argument(
        "--flips",
        type=int,
        default=FLIPS,
        metavar="N",
        help=f"problems to show each way with their texts (default: {FLIPS})",
    )
    options = parser.parse_args(arguments)
    from analysis.diff.text import diff_text

    try:
        print(diff_text(options.a, options.b, flips=max(0, options.flips)))
    except (ValueError, OSError) as error:
        print(f"rft diff: {error}", file=sys.stderr)
        return 2
    return 0
