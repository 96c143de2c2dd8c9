"""Taking finished stages out of a store, beside running processes.

live_stages(store)                      # ['finetune-5f0c4a1e...'] whose owners are alive
remove_stage(store, "shard", key)       # False when a live process holds it
remove_checkpoints(store)               # of stages that nobody computes now; how many stages
"""

from __future__ import annotations

import os
import secrets
import shutil

from rft.infra.disk import children, disk_errors
from rft.infra.leases import try_lease
from rft.infra.store import RESUME_FOLDER, Store


def live_stages(store: Store) -> list[str]:
    """`<name>-<key>` of every stage that a live process is computing now. Raises StoreError."""
    found = []
    with disk_errors(store.root, "looking for running processes"):
        for path in sorted(children(store.root / ".locks")):
            if path.suffix == ".lock":
                with try_lease(path, lease_s=store.lease_s) as lease:
                    if not lease.is_locked:
                        found.append(path.stem)
    return found


def remove_stage(store: Store, name: str, key: str) -> bool:
    """Remove a finished stage under its lease; False when a live process holds it. Raises StoreError.

    Renamed first, so that nobody reads half a stage; what a crash leaves in scratch, `Store.sweep` removes.
    """
    folder = store.folder(name, key)
    with (
        disk_errors(store.root, f"removing {name}-{key}"),
        try_lease(store.lock_path(name, key), lease_s=store.lease_s) as lease,
    ):
        if not lease.is_locked:
            return False
        scratch = store.root / ".scratch" / f"{name}-{key}.{secrets.token_hex(4)}"
        scratch.parent.mkdir(parents=True, exist_ok=True)
        os.rename(folder, scratch)
        shutil.rmtree(scratch)
    return True


def remove_checkpoints(store: Store) -> int:
    """Remove the checkpoints of unfinished stages (rft.infra.resume), but of those that a live process is computing.

    Returns of how many stages. Raises StoreError.
    """
    busy, removed = set(live_stages(store)), 0
    with disk_errors(store.root, "removing checkpoints"):
        for folder in children(store.root / RESUME_FOLDER):
            if folder.name not in busy:
                shutil.rmtree(folder)
                removed += 1
    return removed
