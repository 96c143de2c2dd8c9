"""The manifest of a finished stage folder: what lies in it, with size and content digest of every file.

    manifest = write_manifest(folder, name="select", key=key, seconds=1.2, meta={"tokens": 0})   # last, after the files
    manifest = read_manifest(folder)                # None when the folder is no finished stage
    reason = find_fault(folder, manifest, reread=True)      # None, or 'samples.jsonl.gz: content differs from its digest'

One manifest.json:
    {"schema_version": 1, "name": "select", "key": "5f0c...", "created": 1795382101.2, "seconds": 1.2,
     "meta": {"tokens": 0}, "files": {"kept.jsonl.gz": {"bytes": 5120, "digest": "9e10..."}}, "digest": "77ab..."}
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rft.infra.digest import content_digest, digest

MANIFEST_FILE = "manifest.json"
SCHEMA_VERSION = 1

# Files whose content this process has found to match: path -> (size, mtime_ns, inode, digest). A file that has not
# changed since is not read again, so that opening gigabytes of weights many times costs one reading.
_verified: dict[str, tuple[int, int, int, str]] = {}


class CorruptError(Exception):
    """A stage folder does not hold what its manifest says; the text names the file."""


@dataclass(frozen=True)
class FileInfo:
    """One file of a finished stage."""

    bytes: int
    digest: str  # of the content, see rft.infra.digest.content_digest


@dataclass(frozen=True)
class Manifest:
    """What a finished stage folder holds and what it cost."""

    name: str  # of the stage
    key: str
    created: float  # seconds since the epoch
    seconds: float  # wall clock of the computation
    meta: dict[str, Any]
    files: dict[str, FileInfo]  # by path relative to the folder, with '/'

    @property
    def num_bytes(self) -> int:
        """Size of all files."""
        return sum(info.bytes for info in self.files.values())

    @property
    def facts(self) -> dict[str, Any]:
        """What the stage told the record."""
        return dict(self.meta["facts"])


def write_manifest(folder: Path, *, name: str, key: str, seconds: float, meta: Mapping[str, Any]) -> Manifest:
    """Flush every file below `folder` to disk, then write its manifest. Raises ValueError for links and odd files."""
    files = {relative: _seal(folder / relative) for relative in _relative_files(folder)}
    manifest = Manifest(name, key, time.time(), seconds, dict(meta), files)
    body = {"schema_version": SCHEMA_VERSION, **asdict(manifest)}
    with open(folder / MANIFEST_FILE, "w", encoding="utf-8") as file:
        json.dump({**body, "digest": digest(body)}, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    return manifest


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a finished folder, None when there is none. Raises CorruptError when it is damaged."""
    try:
        text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except UnicodeDecodeError as error:
        raise CorruptError(f"{MANIFEST_FILE}: not text") from error
    return parse_manifest(text)


def parse_manifest(text: str) -> Manifest:
    """A manifest from its file's text. Raises CorruptError."""
    try:
        body = json.loads(text)
        claimed = body.pop("digest")
        intact = body["schema_version"] == SCHEMA_VERSION and digest(body) == claimed
        files = {relative: FileInfo(**info) for relative, info in body["files"].items()}
        manifest = Manifest(body["name"], body["key"], body["created"], body["seconds"], body["meta"], files)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptError(f"{MANIFEST_FILE}: truncated or not a manifest") from error
    if not intact:
        raise CorruptError(f"{MANIFEST_FILE}: differs from its own digest")
    return manifest


def find_fault(folder: Path, manifest: Manifest, *, reread: bool) -> str | None:
    """What is wrong with the files, naming the first bad one; None when all is well.

    Sizes are always compared. Contents are read once per process and file, or always with `reread`.
    """
    for relative, info in manifest.files.items():
        path = folder / relative
        try:
            stat = os.stat(path)
        except FileNotFoundError:
            return f"{relative}: missing"
        if stat.st_size != info.bytes:
            return f"{relative}: {stat.st_size} bytes where its manifest says {info.bytes}"
        mark = (stat.st_size, stat.st_mtime_ns, stat.st_ino, info.digest)
        if reread or _verified.get(str(path)) != mark:
            if content_digest(path) != info.digest:
                return f"{relative}: content differs from its digest"
            _verified[str(path)] = mark
    return _unlisted(folder, manifest)


def _unlisted(folder: Path, manifest: Manifest) -> str | None:
    """What lies in the folder beside the stage's own files: libraries that load a folder take what they find."""
    try:
        found = set(_relative_files(folder)) - manifest.files.keys() - {MANIFEST_FILE}
    except ValueError as error:
        return str(error)
    return f"{min(found)}: not among the stage's files" if found else None


def mark_verified(folder: Path, manifest: Manifest) -> None:
    """Remember the files as read: this process has just written and digested them."""
    for relative, info in manifest.files.items():
        stat = os.stat(folder / relative)
        _verified[str(folder / relative)] = (stat.st_size, stat.st_mtime_ns, stat.st_ino, info.digest)


def _relative_files(folder: Path) -> list[str]:
    found: list[str] = []
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(parent, name)
            if path.is_symlink() or not (path.is_dir() or path.is_file()):
                raise ValueError(
                    f"{path}: a stage may write plain files and folders only, so that its store can be moved"
                )
        found.extend(Path(parent, name).relative_to(folder).as_posix() for name in names)
    return sorted(found)


def _seal(path: Path) -> FileInfo:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return FileInfo(path.stat().st_size, content_digest(path))
