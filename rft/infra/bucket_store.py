"""The stage store in a bucket: the same promises as rft.infra.store, over object storage, with a local cache of what is read.

    store = BucketStore("s3://lab/rft", cache=Path("multirun_outputs/.cache/s3-lab-rft"), cache_bytes=50 << 30)
    entry = store.compute("select", key, fill=lambda out: write_kept(out), meta={"tokens": 0})
    entry.path                                  # a folder of the cache, read only by agreement

A stage is computed into the cache, its files are uploaded under the digest of their manifest, and the manifest is created
last: one process wins, however many try, and its files are never mixed with another's. A reader compares the digest of every
file that it brings. Files go from disk to bucket and back in parts, never whole through memory. What is in the cache counts
only while the bucket has the same manifest; of a stage that was removed it saves whoever needs it again the computation.

Below the root (which may be copied):
    select/manifests/5f0c4a1e....json                      finished stages
    select/files/5f0c4a1e.../9e10.../kept.jsonl.gz         their files, below the digest of the manifest
    .claims/ .sweeps/ .studies/ .quarantine/               who computes what, what live sweeps need, damaged manifests
Timings, checkpoints and logs of failures are those of this machine and lie in the cache.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rft.infra.buckets import Bucket
from rft.infra.cache_limit import CacheLimit
from rft.infra.claims import Claim, claimed_names, try_claim
from rft.infra.digest import canonical
from rft.infra.entry import Busy, Entry, EntryInfo, check_name
from rft.infra.identity_mark import announce
from rft.infra.manifest import MANIFEST_FILE, CorruptError, Manifest, parse_manifest
from rft.infra.resume import ResumePoints
from rft.infra.stage_store import QUARANTINE, Fill
from rft.infra.store import LEASE_S, Store
from rft.infra.timings import Timing

log = logging.getLogger(__name__)

_POLL_S = (0.05, 2.0)  # first and longest pause between two looks at another owner's key
_LISTED_S = 5.0  # how long a listing of finished stages answers `has`: a plan asks thousands of times
_GATE = "gate"


class BucketStore:
    """Finished stages below one URL."""

    def __init__(self, url: str, *, cache: Path, cache_bytes: float, lease_s: float = LEASE_S) -> None:
        self.root = url.rstrip("/")
        self.objects = Bucket(url)
        self.cache = Store(cache, lease_s=lease_s)
        self.lease_s = lease_s
        self._limit = CacheLimit(self.cache, limit_bytes=cache_bytes)
        self._listed: dict[str, tuple[float, frozenset[str]]] = {}  # finished keys by kind, and when they were listed
        self._reading: set[tuple[str, str]] = set()  # given out since the stage that is computed now began
        self._depth = 0

    def announce(self, tell: Callable[[str], None]) -> None:
        """See rft.infra.identity_mark; also says where the back end lets two processes create one object."""
        announce(self.objects, where=self.root, holds=self._kinds(), tell=tell)
        name = f".probes/{time.time_ns()}"
        if self.objects.create(name, b"1") and self.objects.create(name, b"2"):
            tell(
                f"{self.root} does not refuse to create an object twice (If-None-Match): stages stay right, but some may be "
                "computed twice"
            )
        self.objects.remove(name)

    def has(self, name: str, key: str) -> bool:
        """Whether the stage is finished, by listings of the last seconds."""
        check_name(name, key)
        listed_s, keys = self._listed.get(name, (float("-inf"), frozenset()))
        if time.monotonic() - listed_s > _LISTED_S:
            found = self.objects.names(f"{name}/manifests")
            keys = frozenset(one.removesuffix(".json") for one in found)
            self._listed[name] = (time.monotonic(), keys)
        return key in keys

    def present(self, name: str, keys: Collection[str]) -> set[str]:
        """Those of the keys that `has` finds."""
        return {key for key in keys if self.has(name, key)}

    def folder(self, name: str, key: str) -> Path:
        """Where the stage lies on this machine, if it was made here or brought."""
        return self.cache.folder(name, key)

    def manifest(self, name: str, key: str) -> Manifest | None:
        """What a finished stage says of itself, from the bucket. Raises CorruptError, StoreError."""
        check_name(name, key)
        text = self.objects.read(_manifest(name, key))
        return None if text is None else _parsed(text)

    def get(self, name: str, key: str, *, verify: bool = False) -> Entry | None:
        """The finished stage, brought into the cache, or None. One that is damaged in the bucket is named in a warning, set
        aside and counts as None."""
        check_name(name, key)
        try:
            return self._read(name, key, verify=verify)
        except CorruptError:
            with self._claim(name, key) as claim:
                return None if claim is None else self._read_or_set_aside(name, key)

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
        """See rft.infra.store.Store.compute. Raises StoreError too where the bucket refuses."""
        canonical(dict(meta))
        started, pause_s = time.monotonic(), _POLL_S[0]
        while True:
            entry = self.get(name, key) or self._try_compute(name, key, fill, meta)
            if entry is not None:
                return entry
            if not wait:
                raise Busy(f"{name}-{key} is being computed by another process")
            if on_wait is not None:
                on_wait(time.monotonic() - started)
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _POLL_S[1])

    def resume_points(self, name: str, key: str) -> ResumePoints:
        """Checkpoints of a stage that is not finished: on this machine, whose next process goes on from them."""
        return self.cache.resume_points(name, key)

    def remove_checkpoints(self, *, spare: Collection[str]) -> int:
        """Those of this machine; of how many stages."""
        return self.cache.remove_checkpoints(spare={*spare, *(key for _, key in self.computing())})

    def entries(self) -> Iterator[EntryInfo]:
        """Every finished stage; damaged ones are left out with a warning."""
        for kind in self._kinds():
            names = [f"{kind}/manifests/{one}" for one in self.objects.names(f"{kind}/manifests")]
            for name, text in sorted(self.objects.read_all(names).items()):
                try:
                    yield EntryInfo.of(_parsed(text))
                except CorruptError as error:
                    log.warning("damaged stage %s/%s: %s", self.root, name, error)

    def timings(self) -> dict[str, list[Timing]]:
        """What past computations on this machine took."""
        return self.cache.timings()

    @contextmanager
    def try_gate(self) -> Iterator[Callable[[], bool] | None]:
        """Try once to be the only one who removes or reserves stages; gives whether that still holds, or None."""
        with try_claim(self.objects, _GATE, lease_s=self.lease_s) as claim:
            yield None if claim is None else claim.ours

    def computing(self) -> list[tuple[str, str]]:
        """Kind and key of every stage that a live process is computing now. Raises StoreError."""
        names = [name for name in claimed_names(self.objects, lease_s=self.lease_s) if name != _GATE]
        return [(kind, key) for kind, _, key in (name.rpartition("-") for name in names)]

    def remove(self, name: str, key: str) -> bool:
        """Remove a finished stage, its manifest first; False when a live process holds it or it is not there."""
        check_name(name, key)
        with self._claim(name, key) as claim:
            if claim is None or self.objects.read(_manifest(name, key)) is None:
                return False
            self.objects.remove(_manifest(name, key))
            self._listed.pop(name, None)
            self.objects.remove_all(self.objects.below(_files(name, key)))
        self.cache.remove(name, key)
        return True

    def sweep(self) -> int:
        """Remove scratch folders of dead owners on this machine; returns how many."""
        return self.cache.sweep()

    def _kinds(self) -> list[str]:
        return [name for name in self.objects.names("") if not name.startswith(".") and "." not in name]

    def _claim(self, name: str, key: str) -> Any:
        return try_claim(self.objects, f"{name}-{key}", lease_s=self.lease_s, on_beat=self._hold)

    def _hold(self) -> None:
        """What the stage that is computed now may read stays in the cache."""
        for name, key in list(self._reading):
            self._limit.used(name, key)

    def _read(self, name: str, key: str, *, verify: bool) -> Entry | None:
        text = self.objects.read(_manifest(name, key))
        if text is None:
            if key in self._listed.get(name, (0.0, frozenset()))[1]:  # it was removed, or set aside by another process
                self._listed.pop(name)
            return None
        manifest = _parsed(text)
        if (manifest.name, manifest.key) != (name, key):
            raise CorruptError(f"{MANIFEST_FILE}: belongs to {manifest.name}-{manifest.key}")
        folder = self.cache.folder(name, key)
        if _cached(folder) not in (None, text):  # of a computation that was removed since
            self.cache.remove(name, key)
        self._given(name, key)
        entry = self.cache.get(name, key, verify=verify) if _cached(folder) == text else None
        if entry is None:
            entry = self.cache.adopt(name, key, lambda out: self._fetch(manifest, text, out))
            self._limit.grown(manifest.num_bytes)
        return entry

    def _given(self, name: str, key: str) -> None:
        self._limit.used(name, key)
        if self._depth:
            self._reading.add((name, key))

    def _fetch(self, manifest: Manifest, text: bytes, out: Path) -> None:
        place = f"{_files(manifest.name, manifest.key)}/{_digest(text)}"
        for relative in manifest.files:
            target = out / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.objects.download(f"{place}/{relative}", target)
            except FileNotFoundError as error:
                raise CorruptError(f"{relative}: missing") from error
        (out / MANIFEST_FILE).write_bytes(text)

    def _read_or_set_aside(self, name: str, key: str) -> Entry | None:
        """Under the claim: read again (a transfer may have gone wrong), and move the manifest of what is damaged away."""
        try:
            return self._read(name, key, verify=False)
        except CorruptError as error:
            log.warning("damaged stage %s-%s of %s (%s): will be computed again", name, key, self.root, error)
            text = self.objects.read(_manifest(name, key))
            self.objects.put(f"{QUARANTINE}/{name}-{key}-{time.time_ns()}.json", text or b"")
            self.objects.remove(_manifest(name, key))
            self._listed.pop(name, None)
            self.cache.remove(name, key)
            return None

    def _try_compute(self, name: str, key: str, fill: Fill, meta: Mapping[str, Any]) -> Entry | None:
        """Compute if no other process does. None when one does, or when the claim was lost meanwhile."""
        with self._claim(name, key) as claim:
            if claim is None:
                return None
            self._depth += 1
            try:
                return self._read_or_set_aside(name, key) or self._fill(name, key, fill, meta, claim)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._reading.clear()

    def _fill(self, name: str, key: str, fill: Fill, meta: Mapping[str, Any], claim: Claim) -> Entry | None:
        """Under the claim: compute into the cache (or find it there, of an upload that failed), upload, commit."""
        self._given(name, key)
        entry = self.cache.compute(name, key, fill, meta=meta)
        self._limit.grown(sum((entry.path / one).stat().st_size for one in entry.digests))
        text = (entry.path / MANIFEST_FILE).read_bytes()
        place = f"{_files(name, key)}/{_digest(text)}"
        for relative in entry.digests:
            self.objects.upload(entry.path / relative, f"{place}/{relative}")
        if claim.ours() and self.objects.create(_manifest(name, key), text):
            self._listed.pop(name, None)
            left = [one for one in self.objects.below(_files(name, key)) if not one.startswith(f"{place}/")]
            self.objects.remove_all(left)  # of owners that died while uploading
            return entry
        self.objects.remove_all(self.objects.below(place))
        self.cache.remove(name, key)  # another process' result counts
        return None


def _manifest(name: str, key: str) -> str:
    return f"{name}/manifests/{key}.json"


def _files(name: str, key: str) -> str:
    return f"{name}/files/{key}"


def _parsed(text: bytes) -> Manifest:
    try:
        return parse_manifest(text.decode())
    except UnicodeDecodeError as error:
        raise CorruptError(f"{MANIFEST_FILE}: not text") from error


def _digest(text: bytes) -> str:
    return str(json.loads(text)["digest"])


def _cached(folder: Path) -> bytes | None:
    try:
        return (folder / MANIFEST_FILE).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
