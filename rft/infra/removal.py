"""Finished stages listed and taken out of a folder, beside running processes, and never through a link.

finished_folders(root)                          # folders root/<kind>/<two digits>/<key>, none that a link leads to
computing(root, lease_s=60.0)                   # [("finetune", "5f0c4a1e...")] whose owners are alive
remove_folder(root, "shard", key)               # the caller holds the stage's lease
"""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rft.infra.disk import children, disk_errors
from rft.infra.leases import try_lease

log = logging.getLogger(__name__)

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def finished_folders(root: Path) -> Iterator[Path]:
    """Folders that may be finished stages, in order. Links are named in a warning and not followed: what lies behind one is
    not the store's own."""
    for kind in _folders(root):
        if kind.name.startswith("."):
            continue
        for prefix in _folders(kind):
            yield from _folders(prefix)


def computing(root: Path, *, lease_s: float) -> list[tuple[str, str]]:
    """Kind and key of every stage that a live process is computing now. Raises StoreError."""
    found = []
    with disk_errors(root, "looking for running processes"):
        for path in sorted(children(root / ".locks")):
            if path.suffix == ".lock":
                with try_lease(path, lease_s=lease_s) as lease:
                    if not lease.is_locked:
                        kind, _, key = path.stem.rpartition("-")
                        found.append((kind, key))
    return found


def remove_folder(root: Path, name: str, key: str) -> bool:
    """Remove a finished stage whose lease the caller holds; False where it is not there, or where a link leads to it.

    Renamed first, so that nobody reads half a stage; what a crash leaves in scratch, `Store.sweep` removes. Every step is
    taken from an open folder, so that no link that is put there meanwhile can lead elsewhere.
    """
    scratch = f"{name}-{key}.{secrets.token_hex(4)}"
    (root / ".scratch").mkdir(exist_ok=True)
    try:
        with ExitStack() as stack:
            fds = [os.open(root, os.O_RDONLY | os.O_DIRECTORY)]
            stack.callback(os.close, fds[0])
            for start, part in ((0, name), (1, key[:2]), (0, ".scratch")):
                fds.append(os.open(part, _FOLDER, dir_fd=fds[start]))
                stack.callback(os.close, fds[-1])
            prefix, scratch_fd = fds[2], fds[3]
            if not stat.S_ISDIR(os.stat(key, dir_fd=prefix, follow_symlinks=False).st_mode):
                return False
            os.rename(key, scratch, src_dir_fd=prefix, dst_dir_fd=scratch_fd)
            shutil.rmtree(scratch, dir_fd=scratch_fd)
    except (FileNotFoundError, NotADirectoryError):  # gone already; or a link, which O_NOFOLLOW refuses
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise
    return True


def _folders(folder: Path) -> list[Path]:
    found = []
    for path in sorted(children(folder)):
        if path.is_symlink():
            log.warning("%s is a link: what lies behind it is not listed and never removed", path)
        elif path.is_dir():
            found.append(path)
    return found
