"""Opening a store by the settings under `store`.

store = open_store(cfg.store)                             # root=multirun_outputs/.store or root=s3://lab/rft
store = open_store(absolute(cfg.store))                   # the same from whichever folder
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from rft.config import StoreConfig
from rft.infra.bucket_store import BucketStore
from rft.infra.buckets import is_url
from rft.infra.digest import digest
from rft.infra.stage_store import StageStore
from rft.infra.store import Store

DEFAULT_CACHE = "multirun_outputs/.cache"


def open_store(cfg: StoreConfig) -> StageStore:
    """The store in a folder or, where the root is a URL, in a bucket. Raises ValueError for a URL that nothing opens."""
    if not is_url(cfg.root):
        return Store(Path(cfg.root))
    cache = Path(cfg.cache) / digest(cfg.root)[:12]  # one of a bucket, whatever else is cached there
    return BucketStore(cfg.root, cache=cache, cache_bytes=cfg.cache_gib * (1 << 30))


def named_store(root: str) -> StageStore:
    """The store of a command that is given no more than its root; what such a command brings stays in the cache."""
    return open_store(StoreConfig(root=root, cache=DEFAULT_CACHE, cache_gib=math.inf))


def absolute(cfg: StoreConfig) -> StoreConfig:
    """With folders that mean the same in any working directory."""
    root = cfg.root if is_url(cfg.root) else str(Path(cfg.root).absolute())
    return replace(cfg, root=root, cache=str(Path(cfg.cache).absolute()))
