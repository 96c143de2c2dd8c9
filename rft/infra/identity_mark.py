"""The mark of a store: which generation of identities its keys are digests of.

    announce(store.objects, where=store.root, holds=["corpus", "finetune"], tell=log.info)

A store from before identities were declared by typed stages holds right results under keys that nothing asks for any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from rft.infra.objects import Objects

IDENTITY_FILE = ".identity"
IDENTITY_VERSION = 2


def announce(objects: Objects, *, where: Path | str, holds: Iterable[str], tell: Callable[[str], None]) -> None:
    """Mark a store with today's kind of keys; `tell` once if it holds stages under older ones, which are not reused."""
    if objects.read(IDENTITY_FILE) is not None:
        return
    if any(not name.startswith(".") for name in holds):
        tell(
            f"the store {where} was made by an earlier version: its stages have other keys and are computed again "
            "(rft store gc removes what no study uses)"
        )
    objects.put(IDENTITY_FILE, f"{IDENTITY_VERSION}\n".encode())
