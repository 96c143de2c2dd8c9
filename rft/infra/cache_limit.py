"""The size of a local cache of finished stages: the longest unused ones go first.

    limit = CacheLimit(cache, limit_bytes=50 << 30)
    limit.used("finetune", key)                  # now; not removed for HOLD_S, so that who was given it can read it
    limit.grown(size)                            # after something was added: removes what is too much

A stage in use is never removed, even where the cache then outgrows its limit: what a running stage reads is marked as used
over and over (rft.infra.bucket_store). Below the cache: `.used/<kind>-<key>`, whose time is that of the last use by whoever
it was.
"""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from rft.infra.store import Store
from rft.infra.units import size_text

log = logging.getLogger(__name__)

HOLD_S = 600.0
_SLACK = 0.05  # of the limit: added between two looks at the whole cache


class CacheLimit:
    """Keeps one cache below its limit, as far as what is in use allows."""

    def __init__(self, cache: Store, *, limit_bytes: float, hold_s: float = HOLD_S) -> None:
        self._cache = cache
        self._limit = limit_bytes
        self._hold_s = hold_s
        self._unseen = limit_bytes  # added since the last look: the first addition looks

    def used(self, name: str, key: str) -> None:
        """A stage is used now."""
        mark = self._mark(name, key)
        try:
            os.utime(mark)
        except FileNotFoundError:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()

    def grown(self, num_bytes: int) -> None:
        """A stage was added. Raises StoreError."""
        self._unseen += num_bytes
        if self._unseen > _SLACK * self._limit:
            self._unseen = 0
            self._shrink()

    def _shrink(self) -> None:
        held = list(self._cache.entries())
        too_much = sum(info.bytes for info in held) - self._limit
        now = time.time()
        for last_s, info in sorted(
            ((self._last_use(info.name, info.key), info) for info in held), key=lambda it: it[0]
        ):
            if too_much <= 0:
                return
            if now - last_s >= self._hold_s and self._cache.remove(info.name, info.key):
                self._mark(info.name, info.key).unlink(missing_ok=True)
                too_much -= info.bytes
        if too_much > 0:
            log.warning(
                "the cache %s is %s over its limit: all that is left is in use (store.cache_gib)",
                self._cache.root,
                size_text(int(too_much)),
            )

    def _mark(self, name: str, key: str) -> Path:
        return self._cache.root / ".used" / f"{name}-{key}"

    def _last_use(self, name: str, key: str) -> float:
        try:
            return os.stat(self._mark(name, key)).st_mtime
        except FileNotFoundError:
            return 0.0
