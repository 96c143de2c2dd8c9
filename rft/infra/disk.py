"""Disks: folders listed and flushed, and a disk's refusals turned into messages that a user can act on.

with disk_errors(root, "computing select-5f0c"):
    ...                                             # a full or read-only disk becomes a StoreError naming `root`
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HALF_S = 1.0  # for so long a file that nobody here is writing may be another machine's work


class StoreError(RuntimeError):
    """The store's disk cannot do what is needed; the text names the folder and what to do."""


@contextmanager
def disk_errors(root: Path, doing: str, *, setting: str = "store.root") -> Iterator[None]:
    """Raise StoreError for a full disk, or for a refused write below `root`; all else passes unchanged.

    `setting` names the folder. A full disk has one message, whatever was being done: many stages meet it.
    """
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        if _is_disk_full(error):
            raise StoreError(
                f"no space left in {root}: free some, or set {setting} to a folder on another disk; finished stages are "
                "kept, so run the same command again"
            ) from error
        if _is_refusal(error, root):
            raise StoreError(
                f"cannot write in {root} while {doing} ({error}): set {setting} to a folder that you may write to, or "
                "correct its permissions"
            ) from error
        raise


def children(folder: Path) -> list[Path]:
    """What lies directly in a folder; nothing when there is no such folder."""
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def own_children(folder: Path) -> list[Path]:
    """The same, and nothing where the folder is a link: what it leads to belongs to somebody else."""
    return [] if folder.is_symlink() else children(folder)


def wait_until_seen(path: Path, *, within_s: float) -> bool:
    """Whether the path appears in time: a network file system may show for a while what was there before a rename."""
    until_s, pause_s = time.monotonic() + within_s, 0.01
    while not path.exists():
        if time.monotonic() > until_s:
            return False
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, 1.0)
    return True


def remove_halves(folder: Path) -> None:
    """Remove what writers that were killed left beside their targets (rft.whole): '.record.json.4711.tmp'.

    A file of a living process stays. One of the last second, which a process of another machine may be writing, is looked at
    again when a second has passed: it stays if it has grown, or been renamed.
    """
    for path in folder.glob(".*.tmp"):
        number = path.name.split(".")[-2]
        if number.isdigit() and not Path(f"/proc/{number}").exists():
            with suppress(FileNotFoundError):
                written_s = path.lstat().st_mtime
                time.sleep(min(max(0.0, written_s + HALF_S - time.time()), HALF_S))
                if path.lstat().st_mtime == written_s:
                    path.unlink()


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def rename_first(folder: Path, target: Path) -> bool:
    """Rename a folder to a place that nobody has taken; False where somebody was first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.rename(folder, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    fsync_folder(target.parent)  # what a power cut still takes away, the manifest's digests will show
    return True


def _is_disk_full(error: BaseException) -> bool:
    """A full disk, a quota, a limit of a file's size; also by causes and texts: libraries in other languages pass on
    the system's message as plain text."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return True
        if "No space left on device" in str(seen):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def _is_refusal(error: Exception, root: Path) -> bool:
    """Whether the store's own folder refused a write; an error of a stage with a file elsewhere is not meant."""
    refusals = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
    if not isinstance(error, OSError) or error.errno not in refusals or error.filename is None:
        return False
    name = os.path.abspath(error.filename)
    return name.startswith(str(root)) or str(root).startswith(name)  # below it, or the parent it would be made in
