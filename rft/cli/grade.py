"""`rft grade`: the same as `python -m rft.grade`."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Hand over to rft.grade."""
    from rft import grade

    return grade.main(arguments)
