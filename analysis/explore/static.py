"""The explorer as a folder of files to publish on any web server.

    num = write_static(study, out=Path("public"))

A folder that holds anything but an earlier explorer is refused: documents of other cells would stay in it. The page needs a
web server, however plain (`python -m http.server --directory public`): browsers load no modules from disk.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from analysis.explore.documents import Documents
from analysis.explore.opened import Opened
from analysis.explore.page import assets

DATA = "data"  # the folder of documents, for a server too
PAGE = "index.html"


def write_static(study: Opened, *, out: Path, progress: Callable[[int], None] = lambda done: None) -> int:
    """Write page and documents; returns the number of bytes. Raises ValueError for a folder with other files in it."""
    files, documents = assets(), Documents(study)
    _refuse_foreign(out, names={*files, DATA})
    shutil.rmtree(out / DATA, ignore_errors=True)
    size = 0
    for done, name in enumerate(documents.names()):
        content = documents.get(name)
        assert content is not None, "a named document exists"
        path = out / DATA / name
        path.parent.mkdir(parents=True, exist_ok=True)
        size += path.write_bytes(content)
        progress(done)
    for name, asset in files.items():
        if name != PAGE:
            size += (out / name).write_bytes(asset.content)
    return size + (out / PAGE).write_bytes(files[PAGE].content)  # last: its existence means complete


def _refuse_foreign(out: Path, *, names: set[str]) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise ValueError(f"{out} is no folder; give one that is new or holds an earlier explorer")
    foreign = sorted({path.name for path in out.iterdir()} - names) if out.is_dir() else []
    if foreign:
        raise ValueError(f"{out} holds other files ({', '.join(foreign[:3])}); give a new folder")
    out.mkdir(parents=True, exist_ok=True)
    (out / PAGE).unlink(missing_ok=True)
