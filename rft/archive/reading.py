"""Open an archive: check every part against its digest, then answer for the files of the study's cells.

    archive = open_archive(Path("multirun_outputs/reference/quickstart"))
    archive.about.commits            # ('6ff1f44...',)
    archive.json("nano-s_sft_f1_s0-1a2b3c4d", "record.json")
    archive.rows("nano-s_sft_f1_s0-1a2b3c4d", "outcomes.jsonl.gz")

On disk an archive is `archive.json` (About: what it is of, and a digest of every part), `study.json` (the manifest as it
was), `cells.jsonl.xz` (a line a cell: its record, or why it has none) and a part for each kind of its files of rows: that of
all `outcomes.jsonl.gz` is `outcomes.jsonl.xz`. Its first line holds the columns that several cells share, each other line
the rows of one file as columns (rft.archive.columns). `xz -dc FILE` shows any of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import lzma
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.archive.columns import Column, unpack
from rft.records import FAILURE_FILE, RECORD_FILE, read_json

REFERENCES = Path("multirun_outputs/reference")  # archives under version control; no study may have this folder
FORMAT_VERSION = 1
ABOUT_FILE = "archive.json"
CELLS_PART = "cells.jsonl.xz"
JSON_FILES = (RECORD_FILE, FAILURE_FILE)  # of a cell: what CELLS_PART holds
RESTORE = "restore it (git checkout) or archive the study again (rft archive)"


@dataclass(frozen=True)
class Part:
    """One file of an archive."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class About:
    """What an archive is of."""

    study: str
    num_cells: int  # with a record
    missing: Mapping[
        str, str
    ]  # cells of the manifest without a usable record, with the reason: not empty, it is partial
    commands: tuple[str, ...]  # that wrote the records
    commits: tuple[str, ...]  # of the code that did
    dirty: bool  # whether that code had changes that no commit holds
    machines: tuple[str, ...]  # that computed the stages
    started: tuple[str, str]  # first and last start
    samples_per_cell: int | None  # of the sampled solutions for people, the most that were kept of a cell; None: all
    parts: Mapping[str, Part]
    format_version: int = FORMAT_VERSION

    def to_json(self) -> dict[str, Any]:
        """Plain values, with a digest of themselves."""
        body = dataclasses.asdict(self)
        return {**body, "digest": _digest_of(body)}

    @staticmethod
    def read(path: Path) -> About:
        """From archive.json. Raises ValueError when it is damaged or of another version."""
        body = read_json(path)
        if not isinstance(body, dict) or body.pop("digest", None) != _digest_of(body):
            raise ValueError(f"{path} differs from its own digest: it is damaged or was edited; {RESTORE}")
        try:
            return About._of(body, path)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no archive's: {type(error).__name__}: {error}; {RESTORE}") from None

    @staticmethod
    def _of(body: dict[str, Any], path: Path) -> About:
        if body["format_version"] != FORMAT_VERSION:
            raise ValueError(f"{path} is of format {body['format_version']}, this code reads {FORMAT_VERSION}")
        for name in body["parts"]:
            if Path(name).name != name or name in ("", ".."):
                raise ValueError(f"{path} names the part {name!r}: a part lies directly in the archive; {RESTORE}")
        for name in ("commands", "commits", "machines", "started"):
            body[name] = tuple(body[name])
        return About(**{**body, "parts": {name: Part(**part) for name, part in body["parts"].items()}})


def _digest_of(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def part_of(name: str) -> str:
    """The part that holds all files of rows of one name: 'outcomes.jsonl.xz' for 'outcomes.jsonl.gz'."""
    return f"{name.partition('.')[0]}.jsonl.xz"


@dataclass(frozen=True)
class Tables:
    """The files of rows of one name."""

    shared: list[Column]
    lines: Mapping[str, bytes]  # by cell, not parsed yet

    def rows(self, cell: str) -> list[dict[str, Any]]:
        """The rows of one cell's file."""
        table = json.loads(self.lines[cell])
        return unpack(table["rows"], num=table["num"], shared=self.shared)


class Archive:
    """The files of a study's cells, read from its archive."""

    def __init__(self, folder: Path) -> None:
        """Raises ValueError naming the first part that is absent or differs from its digest."""
        self.folder = folder
        self.about = About.read(folder / ABOUT_FILE)
        for name, part in self.about.parts.items():
            _check(folder / name, part)
        try:
            self._cells = {row["folder"]: row for row in map(json.loads, _lines(folder / CELLS_PART))}
        except (ValueError, KeyError, TypeError, lzma.LZMAError) as error:
            raise ValueError(
                f"{folder / CELLS_PART} holds no cells: {type(error).__name__}: {error}; {RESTORE}"
            ) from None
        self._tables: dict[str, Tables] = {}

    def has(self, cell: str, name: str) -> bool:
        """Whether a cell, by the name of its folder, has this file."""
        row = self._cells.get(cell)
        return row is not None and (name in row["json"] or name in row["rows"])

    def json(self, cell: str, name: str) -> Any:
        """One of JSON_FILES, a value of the reader's own."""
        self._require(cell, name)
        return json.loads(json.dumps(self._cells[cell]["json"][name]))

    def rows(self, cell: str, name: str) -> list[dict[str, Any]]:
        """The rows of one of a cell's files of JSON lines."""
        self._require(cell, name)
        part = part_of(name)
        if part not in self._tables:
            first, *lines = _lines(self.folder / part)
            at = [cell for cell, row in self._cells.items() if name in row["rows"]]
            self._tables[part] = Tables(json.loads(first)["shared"], dict(zip(at, lines, strict=True)))
        return self._tables[part].rows(cell)

    def recorded(self) -> list[str]:
        """The folders of the cells with a record."""
        return [cell for cell, row in self._cells.items() if RECORD_FILE in row["json"]]

    def parts(self) -> list[Path]:
        """Its files on disk."""
        return [self.folder / name for name in (ABOUT_FILE, *self.about.parts)]

    def _require(self, cell: str, name: str) -> None:
        if not self.has(cell, name):
            raise FileNotFoundError(f"{self.folder / cell / name}: the archive {self.folder} has no such file")


def _check(path: Path, part: Part) -> None:
    if why := part_fault(path, part):
        raise ValueError(f"{path} {why}; {RESTORE}")


def part_fault(path: Path, part: Part) -> str | None:
    """What is wrong with one file of an archive; None where nothing is."""
    if not path.is_file():
        return f"is absent, which {ABOUT_FILE} names"
    content = path.read_bytes()
    if len(content) != part.bytes or hashlib.sha256(content).hexdigest() != part.sha256:
        return f"differs from its digest in {ABOUT_FILE}: it is damaged or was edited"
    return None


def _lines(path: Path) -> list[bytes]:
    return lzma.decompress(path.read_bytes()).splitlines()


Stats = tuple[tuple[str, int, int], ...]  # name, size and time of each file
_opened: dict[Path, tuple[Stats, Archive]] = {}


def open_archive(folder: Path) -> Archive:
    """The archive in a folder, checked; again only when a file of it has changed since."""
    stats = tuple((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.iterdir()))
    if folder not in _opened or _opened[folder][0] != stats:
        _opened[folder] = (stats, Archive(folder))
    return _opened[folder][1]
