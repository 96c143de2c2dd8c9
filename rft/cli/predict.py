"""`rft predict DIR ...`: the larger cells of a study predicted from the smaller ones, then laid beside what they measured.

rft predict multirun_outputs/quickstart
rft predict multirun_outputs/mine --hold-out model=nano-l
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Hand over to analysis.predict.command."""
    from analysis.predict import command

    return command.main(arguments)
