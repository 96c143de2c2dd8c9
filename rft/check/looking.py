"""Stores that are looked at: what is damaged stays where it is.

store = looked_at("multirun_outputs/.store")         # or s3://lab/rft: what is read is brought into the cache
store.get("select", key, verify=True)                # raises DamagedError, where a store at work sets the stage aside
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from rft.infra.bucket_store import BucketStore
from rft.infra.buckets import is_url
from rft.infra.digest import digest
from rft.infra.entry import Entry
from rft.infra.manifest import CorruptError
from rft.infra.store import Store
from rft.infra.stores import DEFAULT_CACHE


class DamagedError(RuntimeError):
    """A stage does not hold what its manifest says."""

    def __init__(self, name: str, key: str, why: CorruptError) -> None:
        super().__init__(f"its input {name} {key[:8]} is damaged: {why}")
        self.why = str(why)


class _Looking:
    """What the two have in common."""

    if TYPE_CHECKING:

        def _read(self, name: str, key: str, *, verify: bool) -> Entry | None: ...

    def get(self, name: str, key: str, *, verify: bool = False) -> Entry | None:
        """The finished stage, from a bucket brought into the cache, or None. Raises DamagedError, StoreError."""
        try:
            return self._read(name, key, verify=verify)
        except CorruptError as error:
            raise DamagedError(name, key, error) from None


class AsItIs(_Looking, Store):
    """In a folder."""


class BucketAsItIs(_Looking, BucketStore):
    """In a bucket. Files that are in the cache already are read there."""


def looked_at(root: str) -> AsItIs | BucketAsItIs:
    """The store below a folder or URL. Raises ValueError for a URL that nothing opens."""
    if not is_url(root):
        return AsItIs(Path(root))
    return BucketAsItIs(root, cache=Path(DEFAULT_CACHE) / digest(root)[:12], cache_bytes=math.inf)
