"""`rft select`: the same as `python -m rft.select`."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Hand over to rft.select."""
    from rft import select

    return select.main(arguments)
