"""Opening a store by what `store.root` says.

store = open_store("multirun_outputs/.store")
"""

from __future__ import annotations

from pathlib import Path

from rft.infra.stage_store import StageStore
from rft.infra.store import Store


def open_store(root: str | Path) -> StageStore:
    """The store in a folder."""
    return Store(Path(root))
