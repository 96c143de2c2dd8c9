"""The stage store: finished stage folders by name and key, each computed once by whoever needs it first.

    store = Store(Path("multirun_outputs/.store"))
    entry = store.compute("select", key, fill=lambda out: write_kept(out), meta={"tokens": 0})
    entry.path, entry.cache_hit, entry.seconds          # the folder, read only by agreement

A stage is written beside, flushed, and renamed into place, its manifest last; a process that dies leaves a scratch
folder that the next owner removes. One process computes a key while others wait (or, with wait=False, get Busy and
take other work); a dead owner is seen at once on the same machine, and after `lease_s` without a heartbeat elsewhere.
A frozen owner that wakes up after its lease was taken over throws its work away.

Below the root (which may be moved or copied):
    select/5f/5f0c4a1e.../{kept.jsonl.gz, manifest.json}    finished stages
    timings.jsonl                                           what each computation took, for estimates
    failed/select-5f0c4a1e....log                           traceback of the last failure of a stage
    .locks/ .scratch/ .quarantine/                          owners' leases, unfinished work, damaged entries
    .resume/                                                checkpoints of stages that are not finished
    .sweeps/ .studies/                                      what live sweeps need, who rests on it (rft.infra.reservations)
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import SoftFileLease

from rft.infra.digest import canonical
from rft.infra.disk import children, disk_errors, rename_first, wait_until_seen
from rft.infra.entry import Busy, Entry, EntryInfo, check_name, digests_of
from rft.infra.identity_mark import announce
from rft.infra.leases import still_ours, try_lease
from rft.infra.manifest import (
    MANIFEST_FILE,
    CorruptError,
    Manifest,
    find_fault,
    mark_verified,
    read_manifest,
    write_manifest,
)
from rft.infra.objects import FolderObjects
from rft.infra.removal import computing, finished_folders, remove_folder
from rft.infra.resume import ResumePoints, remove_points
from rft.infra.scratch import clear, forget_failure, owners, scratch, write_failure
from rft.infra.stage_store import QUARANTINE, Fill
from rft.infra.timings import Timing, append_timing, read_timings

log = logging.getLogger(__name__)

NO_KEY = 32 * "0"  # checks a name alone
LEASE_S = 60.0  # every process on one store must agree on it
_POLL_S = (0.001, 0.5)  # first and longest pause between two looks at another owner's key
_PATIENCE_S = 0.02  # wait before checking whether an owner is dead, which costs ten times a look at the key

RESUME_FOLDER = ".resume"  # below the root: checkpoints, a folder for each unfinished stage
EARLIER_S = "earlier_s"  # of what `fill` returns: seconds that count as the stage's too, spent in killed processes


class Store:
    """Finished stages below one root. Cheap to make; holds no open files."""

    def __init__(self, root: Path, *, lease_s: float = LEASE_S) -> None:
        self.root = root.absolute()
        self.lease_s = lease_s

    def announce(self, tell: Callable[[str], None]) -> None:
        """See rft.infra.identity_mark."""
        with disk_errors(self.root, "marking the store"):
            names = [path.name for path in children(self.root) if path.is_dir()]
            announce(self.objects, where=self.root, holds=names, tell=tell)

    def folder(self, name: str, key: str) -> Path:
        """Where the stage lies once it is finished."""
        check_name(name, key)
        return self.root / name / key[:2] / key

    def has(self, name: str, key: str) -> bool:
        """Whether the stage is finished, by its manifest's existence alone (for plans: reads nothing)."""
        return (self.folder(name, key) / MANIFEST_FILE).exists()

    def present(self, name: str, keys: Collection[str]) -> set[str]:
        """Those of many keys that `has` finds. Folders are listed first, so that a plan of a new study asks for little."""
        check_name(name, NO_KEY)
        kind, found = os.path.join(self.root, name), set[str]()
        by_prefix: dict[str, list[str]] = {}
        for key in keys if os.path.isdir(kind) else ():
            by_prefix.setdefault(key[:2], []).append(key)
        for prefix, asked in by_prefix.items():
            folder = os.path.join(kind, prefix)
            with suppress(FileNotFoundError, NotADirectoryError):
                there = set(os.listdir(folder))
                found.update(key for key in asked if key in there and self.has(name, key))
        return found

    def manifest(self, name: str, key: str) -> Manifest | None:
        """What a finished stage says of itself; nothing else is read. Raises CorruptError."""
        return read_manifest(self.folder(name, key))

    def get(self, name: str, key: str, *, verify: bool = False) -> Entry | None:
        """The finished stage, or None. A damaged one is named in a warning, moved to quarantine, and counts as None.

        Sizes are checked always, contents on the first reading in this process, or always with `verify`.
        """
        try:
            return self._read(name, key, verify=verify)
        except CorruptError:
            with self._lease(name, key) as lease:
                if not lease.is_locked:
                    return None  # another process is at work on it already
                return self._read_or_set_aside(name, key, verify=verify)

    def compute(
        self,
        name: str,
        key: str,
        fill: Fill,
        *,
        meta: Mapping[str, Any],
        wait: bool = True,
        on_wait: Callable[[float], None] | None = None,
    ) -> Entry:
        """The finished stage, computed by `fill(empty folder)` when it is not there yet.

        `fill` writes plain files and may return more entries for `meta` (JSON values; `tokens` and `flops` feed the
        timings). `on_wait(seconds waited)` is called now and then while another process computes the same key.
        Raises what `fill` raises (nothing but failed/<name>-<key>.log is left), Busy with wait=False, StoreError when
        the disk is full or not writable, ValueError for a bad name or `meta`.
        """
        canonical(dict(meta))
        started, waited_s, pause_s = time.monotonic(), 0.0, _POLL_S[0]
        while True:
            entry = self.get(name, key)
            if entry is None and (not wait or waited_s >= _PATIENCE_S or not self.lock_path(name, key).exists()):
                entry = self._try_compute(name, key, fill, meta)
            if entry is not None:
                return entry
            if not wait:
                raise Busy(f"{name}-{key} is being computed by another process")
            if on_wait is not None:
                on_wait(waited_s)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _POLL_S[1])
            waited_s = time.monotonic() - started

    def adopt(self, name: str, key: str, fetch: Callable[[Path], None]) -> Entry:
        """The finished stage, brought by `fetch(empty folder)` with its manifest when it is not there yet.

        Raises CorruptError where what was brought is not what its manifest says, what `fetch` raises, StoreError.
        """
        while True:
            entry = self.get(name, key)
            if entry is not None:
                return entry
            with self._lease(name, key) as lease:
                if lease.is_locked:
                    return self._read_or_set_aside(name, key, verify=False) or self._adopt(name, key, fetch)
            time.sleep(_POLL_S[1] / 10)

    def sweep(self) -> int:
        """Remove the scratch folders and the lock files of dead owners; returns how many folders. Safe at any time beside
        running processes."""
        with disk_errors(self.root, "removing scratch folders"):
            count = sum(self._sweep_owner(owner) for owner in owners(self.root))
        self.computing()  # to ask for a dead owner's lease takes its file away
        return count

    def entries(self) -> Iterator[EntryInfo]:
        """Every finished stage, by name and key; damaged ones are left out with a warning."""
        for folder in finished_folders(self.root):
            try:
                manifest = read_manifest(folder)
                if manifest is not None and folder != self.root / manifest.name / manifest.key[:2] / manifest.key:
                    raise CorruptError(f"{MANIFEST_FILE}: belongs to {manifest.name}-{manifest.key}")
            except CorruptError as error:
                log.warning("damaged stage %s: %s", folder, error)
                continue
            if manifest is not None:
                yield EntryInfo.of(manifest)

    def computing(self) -> list[tuple[str, str]]:
        """Kind and key of every stage that a live process is computing now. Raises StoreError."""
        return computing(self.root, lease_s=self.lease_s)

    def remove(self, name: str, key: str) -> bool:
        """Remove a finished stage under its lease. False when a live process holds it, when it is not there, or when a link
        leads to it. Raises StoreError."""
        with disk_errors(self.root, f"removing {name}-{key}"), self._lease(name, key) as lease:
            return lease.is_locked and remove_folder(self.root, name, key)

    @property
    def objects(self) -> FolderObjects:
        """What processes tell each other in the store."""
        return FolderObjects(self.root)

    @contextmanager
    def try_gate(self) -> Iterator[Callable[[], bool] | None]:
        """Try once to be the only one who removes or reserves stages; gives whether that still holds, or None."""
        with try_lease(self.root / ".sweeps" / "gate.lock", lease_s=self.lease_s) as lease:
            yield (lambda: still_ours(lease)) if lease.is_locked else None

    def timings(self) -> dict[str, list[Timing]]:
        """What past computations took, by stage name, oldest first."""
        return read_timings(self.root / "timings.jsonl")

    def _read(self, name: str, key: str, *, verify: bool) -> Entry | None:
        folder = self.folder(name, key)
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        if (manifest.name, manifest.key) != (name, key):
            raise CorruptError(f"{MANIFEST_FILE}: belongs to {manifest.name}-{manifest.key}")
        fault = find_fault(folder, manifest, reread=verify)
        if fault is not None:
            raise CorruptError(fault)
        return Entry(folder, True, manifest.seconds, manifest.meta, digests_of(manifest))

    def _read_or_set_aside(self, name: str, key: str, *, verify: bool) -> Entry | None:
        """Under the lease: read again, and move what is damaged (or has no manifest) out of the way."""
        folder = self.folder(name, key)
        try:
            entry = self._read(name, key, verify=verify)
            if entry is not None or not folder.exists():
                return entry
            reason = f"{MANIFEST_FILE}: missing"
        except CorruptError as error:
            reason = str(error)
        aside = self.root / QUARANTINE / f"{name}-{key}-{time.time_ns()}"
        log.warning("damaged stage %s (%s): moved to %s, will be computed again", folder, reason, aside)
        with disk_errors(self.root, f"setting aside {name}-{key}"):
            aside.parent.mkdir(parents=True, exist_ok=True)
            os.rename(folder, aside)
        return None

    def _try_compute(self, name: str, key: str, fill: Fill, meta: Mapping[str, Any]) -> Entry | None:
        """Compute if no other process does. None when one does, or when the lease was lost meanwhile."""
        with self._lease(name, key) as lease:
            if not lease.is_locked:
                return None
            return self._read_or_set_aside(name, key, verify=False) or self._fill(name, key, fill, meta, lease)

    def _fill(self, name: str, key: str, fill: Fill, meta: Mapping[str, Any], lease: SoftFileLease) -> Entry | None:
        """Under the lease: compute into scratch and commit. None when the lease was lost meanwhile."""
        started = time.perf_counter()
        with disk_errors(self.root, f"computing {name}-{key}"), scratch(self.root, name, key) as folder:
            try:
                found = dict(fill(folder) or {})
                seconds = time.perf_counter() - started + found.pop(EARLIER_S, 0.0)
                all_meta = {**meta, **found}
                manifest = write_manifest(folder, name=name, key=key, seconds=seconds, meta=all_meta)
                if not still_ours(lease) or not self._commit(folder, manifest):
                    return None
            except Exception as error:
                if not still_ours(lease):
                    return None  # the new owner removed our scratch folder: not this stage's fault
                write_failure(self.root, name, key, error)
                raise
        append_timing(self.root / "timings.jsonl", manifest)
        forget_failure(self.root, name, key)
        return Entry(self.folder(name, key), False, seconds, all_meta, digests_of(manifest))

    def _adopt(self, name: str, key: str, fetch: Callable[[Path], None]) -> Entry:
        """Under the lease: bring, compare, commit."""
        with disk_errors(self.root, f"bringing {name}-{key}"), scratch(self.root, name, key) as folder:
            fetch(folder)
            manifest = read_manifest(folder)
            if manifest is None or (manifest.name, manifest.key) != (name, key):
                raise CorruptError(f"{MANIFEST_FILE}: missing, or of another stage")
            fault = find_fault(folder, manifest, reread=True)
            if fault is not None:
                raise CorruptError(fault)
            self._commit(folder, manifest)
        return Entry(self.folder(name, key), True, manifest.seconds, manifest.meta, digests_of(manifest))

    def _commit(self, folder: Path, manifest: Manifest) -> bool:
        """Rename into place; False when another process was there first: an earlier owner of the lease that woke up, or one
        whose rename this machine could not see yet."""
        target = self.folder(manifest.name, manifest.key)
        if not rename_first(folder, target):
            wait_until_seen(target / MANIFEST_FILE, within_s=self.lease_s)  # else it would be computed again at once
            return False
        mark_verified(target, manifest)
        shutil.rmtree(self.resume_points(manifest.name, manifest.key).folder, ignore_errors=True)
        return True

    def _sweep_owner(self, owner: str) -> int:
        with try_lease(self._lock(owner), lease_s=self.lease_s) as lease:
            return clear(self.root, owner) if lease.is_locked else 0

    def lock_path(self, name: str, key: str) -> Path:
        """The marker of the stage's owner."""
        return self._lock(f"{name}-{key}")

    def _lock(self, owner: str) -> Path:
        return self.root / ".locks" / f"{owner}.lock"

    def remove_checkpoints(self, *, spare: Collection[str]) -> int:
        """Remove the checkpoints of stages that nobody computes now, but of these keys; of how many stages."""
        return remove_points(self.root / RESUME_FOLDER, spare={*spare, *(key for _, key in self.computing())})

    def resume_points(self, name: str, key: str) -> ResumePoints:
        """The stage's checkpoints, which only its owner may touch; removed when it is finished."""
        check_name(name, key)
        return ResumePoints(self.root / RESUME_FOLDER / f"{name}-{key}", name=name, key=key)

    @contextmanager
    def _lease(self, name: str, key: str) -> Iterator[SoftFileLease]:
        check_name(name, key)
        with ExitStack() as stack:
            with disk_errors(self.root, f"locking {name}-{key}"):
                lease = stack.enter_context(try_lease(self.lock_path(name, key), lease_s=self.lease_s))
            yield lease
