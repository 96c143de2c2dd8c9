"""Files written whole or not at all: beside their place, then renamed, so that no reader sees half of one.

    with own_file(folder / "study.json") as file: ...       # a link of that name is replaced, never written through
    write_text(folder / "claims.md", text); write_bytes(folder / "costs.png", content)         # the same
    with whole_file(path) as file: ...                       # where a user said to write: a link stays a link, a pipe a pipe

Folders of studies come from elsewhere too (a colleague, a download): what is written there by a name of our own goes through
`own_file`, so that a link planted under that name changes nothing outside. Standard library alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def own_file(path: Path) -> Iterator[TextIO]:
    """A text file that is at `path` once all is written and on disk; after an error what was there before stays."""
    with beside(path) as scratch, open(scratch, "x", encoding="utf-8") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """The same for a place that a user named: what a link there leads to is replaced. A stream (a pipe, /dev/stdout) is
    written as it comes, at its end."""
    if (path.is_relative_to("/dev") and not path.is_relative_to("/dev/shm")) or path.is_fifo():
        with open(path, "a", encoding="utf-8") as file:  # "w" would empty the file that standard output appends to
            yield file
        return
    with own_file(path.resolve()) as file:
        yield file


def write_text(path: Path, text: str) -> None:
    """Write a text, as `own_file` does."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes, as `own_file` does; what can be made again need not be on disk at once."""
    with beside(path) as scratch, open(scratch, "xb") as file:
        file.write(content)


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """The name of a new file beside its place while it is written; it takes that place at the end, and is gone after an
    error."""
    scratch = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        scratch.unlink(missing_ok=True)  # of a killed process with this number, or a link put there
        yield scratch
        os.replace(scratch, target)
    except OSError as error:
        error.filename = error.filename or str(target)  # a full disk's own message names no file
        raise
    finally:
        scratch.unlink(missing_ok=True)


def refuse_linked(folder: Path, *, inside: Path) -> None:
    """Raise ValueError where a folder that lies in a study by its name is a link, or below one: it is written into."""
    study = inside.absolute()
    place = folder.absolute()
    while place.is_relative_to(study) and place != study:
        if place.is_symlink():
            raise ValueError(f"{place} is a link: what a study writes lies in its own folder; remove the link")
        place = place.parent
