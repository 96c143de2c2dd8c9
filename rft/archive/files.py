"""The files of a study by path, whether they lie in its folder or in an archive of it: the one way to read either.

    folder = Path("multirun_outputs/reference/quickstart")             # an archive: it holds archive.json
    present(folder / "nano-s_sft_f1_s0-1a2b3c4d" / "record.json")      # True, though there is no such folder on disk
    json_at(folder / "nano-s_sft_f1_s0-1a2b3c4d" / "record.json")      # what the live study's file says
    list(rows_at(folder / "nano-s_sft_f1_s0-1a2b3c4d" / "outcomes.jsonl.gz"))

An archive answers for the paths CELL/FILE below it; all else is read from disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rft.archive.reading import ABOUT_FILE, Archive, open_archive
from rft.records import RECORD_FILE, read_json, read_jsonl


def archive_of(path: Path) -> Archive | None:
    """The archive that answers for a file of a cell; None where the disk does. Raises ValueError where it is damaged."""
    folder = path.parent.parent
    return open_archive(folder) if (folder / ABOUT_FILE).is_file() else None


def present(path: Path) -> bool:
    """Whether the study has this file."""
    archive = archive_of(path)
    return path.is_file() if archive is None else archive.has(path.parent.name, path.name)


def json_at(path: Path) -> Any:
    """A JSON file of a cell, or of the study itself. Raises ValueError naming it when it is not JSON."""
    if (path.parent / ABOUT_FILE).is_file():
        open_archive(path.parent)  # which refuses an edited manifest
    archive = archive_of(path)
    return read_json(path) if archive is None else archive.json(path.parent.name, path.name)


def rows_at(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON-lines file. Raises ValueError naming file and line of bad JSON."""
    archive = archive_of(path)
    return read_jsonl(path) if archive is None else iter(archive.rows(path.parent.name, path.name))


def record_paths(folder: Path) -> list[Path]:
    """The records below a study's folder, in an order of their own."""
    if (folder / ABOUT_FILE).is_file():
        return [folder / name / RECORD_FILE for name in open_archive(folder).recorded()]
    return sorted([*folder.glob(RECORD_FILE), *folder.glob(f"*/{RECORD_FILE}")])


def on_disk(folder: Path, names: Sequence[str]) -> list[Path]:
    """The files on disk behind these files of a study, its own and its cells': they change when what is read changes."""
    if (folder / ABOUT_FILE).is_file():
        return open_archive(folder).parts()
    return sorted(path for name in names for path in (*folder.glob(name), *folder.glob(f"*/{name}")))
