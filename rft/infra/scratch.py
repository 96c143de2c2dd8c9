"""What a store's owners leave beside the finished stages: unfinished work, and the log of a failure.

with scratch(root, "select", key) as folder:         # empty; gone afterwards, unless it was renamed into place
    ...
clear(root, "select-5f0c4a1e...")                     # of an owner that died: the caller holds its lease
write_failure(root, "select", key, error)             # root/failed/select-5f0c4a1e....log
"""

from __future__ import annotations

import logging
import secrets
import shutil
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rft.infra.disk import own_children
from rft.infra.masking import mask_text

log = logging.getLogger(__name__)


@contextmanager
def scratch(root: Path, name: str, key: str) -> Iterator[Path]:
    """An empty folder of the lease's holder, once what earlier holders left is gone."""
    clear(root, f"{name}-{key}")
    folder = root / ".scratch" / f"{name}-{key}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def owners(root: Path) -> set[str]:
    """`<name>-<key>` of all unfinished work."""
    return {_owner(path) for path in own_children(root / ".scratch")}


def clear(root: Path, owner: str) -> int:
    """Remove the folders of one owner; returns how many."""
    old = [path for path in own_children(root / ".scratch") if _owner(path) == owner]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def write_failure(root: Path, name: str, key: str, error: Exception) -> None:
    """Keep the traceback of a stage's last failure."""
    path = _failure_log(root, name, key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(mask_text("".join(traceback.format_exception(error))), encoding="utf-8")
    except OSError as problem:  # the disk may be what failed; the error itself still reaches the caller
        log.warning("cannot write %s: %s", path, problem)


def forget_failure(root: Path, name: str, key: str) -> None:
    """Once the stage is finished its log would be a lie."""
    _failure_log(root, name, key).unlink(missing_ok=True)


def _owner(path: Path) -> str:
    return path.name.rsplit(".", 1)[0]


def _failure_log(root: Path, name: str, key: str) -> Path:
    return root / "failed" / f"{name}-{key}.log"
