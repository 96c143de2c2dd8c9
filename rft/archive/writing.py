"""Make an archive of a study: records, outcomes, kept paths and sampled solutions in a few megabytes, for version control.

    about = write_archive(Path("multirun_outputs/quickstart"), to=Path("multirun_outputs/reference/quickstart"))
    about.commits, about.num_cells

Nothing is rounded and nothing left out but what is asked for: `samples_per_cell` caps the solutions that the report shows.
The archive is written beside its place and renamed, so that half of one is never seen. rft.archive.reading has the format.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rft.archive.columns import Column, leaves, pack, replaced
from rft.archive.files import json_at, present, rows_at
from rft.archive.reading import ABOUT_FILE, CELLS_PART, About, Part, part_of
from rft.archive.seals import fault
from rft.records import FAILURE_FILE, RECORD_FILE, SHOWN_FILE, STUDY_FILE, Record, write_json
from rft.sweeps import entries_of, study_named

MOST_BYTES = 10_000_000
WORTH_SHARING = 100  # characters of a column; shorter ones are written where they stand
PRESET = 9 | lzma.PRESET_EXTREME


@dataclass(frozen=True)
class _Cell:
    """What an archive keeps of one cell."""

    folder: str
    json: dict[str, Any]  # record.json or failure.json
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # by file name


def write_archive(
    study: Path,
    *,
    to: Path,
    missing: Mapping[str, str] | None = None,
    samples_per_cell: int | None = None,
    most_bytes: int = MOST_BYTES,
) -> About:
    """Write the archive and return what it says of itself; an archive that is there is replaced,
    and what else lies in its folder stays.

    `missing`: cells, by id, that are to count as missing, with the reason: a record among them that is not to be trusted is
    left out. Raises ValueError when a cell is neither finished nor named there, and for more than `most_bytes`.
    """
    gone = dict(missing or {})
    manifest = json_at(study / STUDY_FILE)
    entries = entries_of(manifest, path=study / STUDY_FILE)
    cells = [_cell_of(study, entry, gone, samples_per_cell=samples_per_cell) for entry in entries]
    contents = {STUDY_FILE: (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode(), **_parts(cells)}
    parts = {name: Part(len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items()}
    _refuse_size(study, parts, most_bytes)
    about = _about(
        study_named(manifest, path=study / STUDY_FILE),
        cells,
        parts=parts,
        missing=gone,
        samples_per_cell=samples_per_cell,
    )
    _replace(to, about, contents)
    return about


def _cell_of(study: Path, entry: Mapping[str, Any], gone: Mapping[str, str], *, samples_per_cell: int | None) -> _Cell:
    name, folder = entry["cell_id"], study / entry["folder"]
    if name in gone:
        failed = present(folder / FAILURE_FILE) and not present(folder / RECORD_FILE)
        row = json_at(folder / FAILURE_FILE) if failed else {"cell_id": name, "reason": gone[name], "stage": None}
        return _Cell(entry["folder"], {FAILURE_FILE: row})
    if not present(folder / RECORD_FILE):
        raise ValueError(f"{folder} has no {RECORD_FILE}: finish the study, or name the cell as missing")
    if (edited := fault(folder)) is not None:
        raise ValueError(f"{folder}: {edited}: run the study again, which makes it anew, or name the cell as missing")
    record = json_at(folder / RECORD_FILE)
    files = [file for file in Record.from_json(record).all_files if present(folder / file)]
    rows = {file: list(rows_at(folder / file)) for file in files}
    if samples_per_cell is not None and SHOWN_FILE in rows:
        rows[SHOWN_FILE] = rows[SHOWN_FILE][:samples_per_cell]
    return _Cell(entry["folder"], {RECORD_FILE: record}, rows)


def _parts(cells: Sequence[_Cell]) -> dict[str, bytes]:
    index = [{"folder": cell.folder, "json": cell.json, "rows": list(cell.rows)} for cell in cells]
    names = sorted({name for cell in cells for name in cell.rows})
    found = {CELLS_PART: _compressed(index)}
    for name in names:
        found[part_of(name)] = _compressed(_tables([cell.rows[name] for cell in cells if name in cell.rows]))
    assert len(found) == len(names) + 1, "two files of rows have one name but for their endings"
    return found


def _tables(files: Sequence[list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The columns that several files share, then each file's rows."""
    packed = [pack(rows) for rows in files]
    times = Counter(_text(leaf) for column in packed for leaf in leaves(column))
    common = [text for text, count in times.items() if count > 1 and len(text) >= WORTH_SHARING]
    places = {text: place for place, text in enumerate(common)}

    def shorten(leaf: Column) -> Column:
        place = places.get(_text(leaf))
        return leaf if place is None else {"shared": place}

    yield {"shared": [json.loads(text) for text in common]}
    for rows, column in zip(files, packed, strict=True):
        yield {"num": len(rows), "rows": replaced(column, shorten)}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _compressed(lines: Iterator[dict[str, Any]] | Sequence[dict[str, Any]]) -> bytes:
    return lzma.compress("".join(f"{_text(line)}\n" for line in lines).encode(), preset=PRESET)


def _refuse_size(study: Path, parts: Mapping[str, Part], most_bytes: int) -> None:
    total = sum(part.bytes for part in parts.values())
    if total > most_bytes:
        named = ", ".join(
            f"{name} {part.bytes:,}" for name, part in sorted(parts.items(), key=lambda item: -item[1].bytes)
        )
        raise ValueError(
            f"the archive of {study} would have {total:,} bytes, more than {most_bytes:,} ({named}): cap the sampled "
            "solutions with --samples N, or archive a study with fewer cells"
        )


def _about(
    study: str,
    cells: Sequence[_Cell],
    *,
    parts: Mapping[str, Part],
    missing: Mapping[str, str],
    samples_per_cell: int | None,
) -> About:
    records = [Record.from_json(cell.json[RECORD_FILE]) for cell in cells if RECORD_FILE in cell.json]
    runs = [record.provenance for record in records]
    origins = [origin for run in runs for origin in run.get("origins", [])]
    started = sorted(str(run["started"]) for run in runs if run.get("started")) or [""]
    return About(
        study=study,
        num_cells=len(records),
        missing=dict(missing),
        commands=_distinct(_command(run.get("command")) for run in runs),
        commits=_distinct(made.get("commit") for made in (*runs, *origins)),
        dirty=any(made.get("dirty") for made in (*runs, *origins)),
        machines=_distinct(_machine(origin) for origin in origins),
        started=(started[0], started[-1]),
        samples_per_cell=samples_per_cell,
        parts=parts,
    )


def _distinct(texts: Iterator[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(text) for text in texts if text))


def _command(words: Any) -> str:
    return " ".join(map(str, words)) if isinstance(words, list) else str(words or "")


def _machine(origin: Mapping[str, Any]) -> str:
    return ", ".join(str(origin[name]) for name in ("cpu", "cpu_capability", "gpu") if origin.get(name))


def _replace(to: Path, about: About, contents: Mapping[str, bytes]) -> None:
    """The new archive made beside, then in the place of the old one; files there that are no archive's stay in it."""
    to = to.resolve()  # of a link what it leads to, as a user means it
    others = _others(to, contents)
    to.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{to.name}.", dir=to.parent))
    scratch.chmod(0o777 & ~_umask())  # mkdtemp's is for oneself alone
    for name, content in contents.items():
        (scratch / name).write_bytes(content)
    write_json(scratch / ABOUT_FILE, about.to_json())
    former = scratch.with_name(f"{scratch.name}.former")
    if to.exists():
        to.rename(former)
    scratch.rename(to)
    for path in others:
        (former / path.name).rename(to / path.name)
    shutil.rmtree(former, ignore_errors=True)


def _others(to: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """What lies in the folder beside an archive. Raises ValueError where the archive would take its place, or where it
    cannot be told apart."""
    found = sorted(to.iterdir()) if to.is_dir() else []
    if not found:
        return []
    own = {ABOUT_FILE, *About.read(to / ABOUT_FILE).parts}
    others = [path for path in found if path.name not in own]
    if taken := [path.name for path in others if path.name in contents]:
        raise ValueError(f"{to} holds {', '.join(taken)}, which is not of the archive there: give another folder")
    return others


def _umask() -> int:
    now = os.umask(0)
    os.umask(now)
    return now
