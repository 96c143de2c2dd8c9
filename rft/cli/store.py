"""`rft store`: the same as `python -m rft.store`."""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Hand over to rft.store."""
    from rft import store

    return store.main(arguments)
