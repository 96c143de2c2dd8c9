"""All that a cell's own folder tells, checked: no store is needed, and an archive's cell will do.

for finding in cell_findings(folder, record): ...           # folder: the cell's own
"""

from __future__ import annotations

import functools
import lzma
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.archive.files import archive_of, json_at, present, rows_at
from rft.archive.seals import fault, sealed
from rft.check.finding import Finding, compared, differs, unchecked
from rft.check.scored import letter_faults, rule_of, score_faults
from rft.check.texts import path_faults, sample_faults
from rft.records import RECORD_FILE, Record, SetRecord
from rft.stages.kept import Pair, kept_of, rows_without_seed
from rft.stages.rows import Scored, Shown

DIGESTS, SCORES, LETTERS, TEXTS, PATHS = "digests", "scores", "answers", "texts", "kept paths"
WRONG = (  # what a damaged file raises
    ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, RecursionError,
    lzma.LZMAError,
)  # fmt: skip


def refused(error: BaseException) -> str:
    """What a damaged file or a refusal is called in a finding: in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ValueError | RuntimeError) and text else f"{type(error).__name__}: {text}"


def guarded(check: str, place: str, found: Iterable[Finding]) -> Iterator[Finding]:
    """The findings; what a check itself stumbles over is one too, in words."""
    try:
        yield from found
    except WRONG as error:
        yield differs(check, place, f"cannot be checked: {refused(error)}")


@dataclass(frozen=True)
class Part:
    """A cell on one of its test sets."""

    record: Record | SetRecord
    setting: Mapping[str, Any]
    place: str
    folder: Path

    def file(self, role: str) -> Path:
        """One of its files."""
        return self.folder / self.record.files[role]

    @functools.cached_property
    def rows(self) -> list[Scored]:
        """Its outcomes."""
        return [Scored.from_json(row) for row in rows_at(self.file("outcomes"))]


def parts_of(record: Record, folder: Path) -> list[Part]:
    """The cell on its own test set, then on further ones."""
    further = [
        Part(one, {**record.setting, **one.setting}, f"{record.cell_id} on {one.name}", folder) for one in record.sets
    ]
    return [Part(record, record.setting, record.cell_id, folder), *further]


def record_of(folder: Path, *, cell_id: str) -> Record | Finding:
    """The record of a cell, or that it is none."""
    try:
        if not present(folder / RECORD_FILE):
            return unchecked("records", cell_id, "it has no record: not finished, or failed")
        record = Record.from_json(json_at(folder / RECORD_FILE))
    except WRONG as error:
        return differs("records", cell_id, f"its record cannot be read: {error}")
    return record if record.cell_id == cell_id else differs("records", cell_id, f"it holds {record.cell_id}")


def cell_findings(folder: Path, record: Record) -> Iterator[Finding]:
    """The checks of one cell."""
    name = record.cell_id
    if archive_of(folder / RECORD_FILE) is None:
        why = fault(folder)
        yield from (
            compared(DIGESTS, name, [why] if why else [])
            if sealed(folder)
            else [unchecked(DIGESTS, name, "it has no digests.json (made before digests were kept)")]
        )
    if not record.cell_key.startswith(name.rpartition("-")[2]):
        yield differs("records", name, f"its key {record.cell_key} is that of another cell")
    for part in parts_of(record, folder):
        yield from _part_findings(part)
    if "paths" in record.files:
        yield from _guarded(PATHS, name, lambda: _path_findings(record, folder))


def _part_findings(part: Part) -> Iterator[Finding]:
    if not present(part.file("outcomes")):
        yield differs(SCORES, part.place, f"{part.file('outcomes').name} is absent")
        return
    yield from _guarded(SCORES, part.place, lambda: compared(SCORES, part.place, score_faults(part.record, part.rows)))
    yield from _guarded(
        LETTERS,
        part.place,
        lambda: compared(LETTERS, part.place, letter_faults(part.rows, rule=rule_of(part.setting))),
    )
    yield from _guarded(TEXTS, part.place, lambda: _text_findings(part))


def _guarded(check: str, place: str, make: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return make()
    except WRONG as error:
        return [differs(check, place, f"cannot be read: {refused(error)}")]


def _text_findings(part: Part) -> list[Finding]:
    path = part.file("samples")
    if not present(path):
        return [differs(TEXTS, part.place, f"{path.name} is absent")]
    shown = [Shown(**row) for row in rows_at(path)]
    found = compared(TEXTS, part.place, sample_faults(shown, part.rows, part.setting))
    texts = {one.id for one in shown if one.source == "greedy"}
    rest = part.record.scores["maj1@1"].n - len(texts)
    return [
        *found,
        *([unchecked(TEXTS, part.place, f"the folder holds no text of its other {rest:,} answers")] if rest else []),
    ]


def _path_findings(record: Record, folder: Path) -> list[Finding]:
    rows = rows_without_seed(rows_at(folder / record.files["paths"]))
    golds = {row["id"]: row["gold"] for row in rows_at(folder / record.files["samples"]) if row["source"] == "pool"}
    paths = [kept_of(row) for row in rows]
    if any(isinstance(path, Pair) for path in paths):
        return [unchecked(PATHS, record.cell_id, "they are questions that were written for paths")]
    faults, unknown = path_faults(paths, golds, record.setting)
    told = record.data.get("num_augmented")
    plain = record.setting["method"] == "rft" and record.setting.get("train.examples_frac") == 1
    if plain and record.data.get("num_too_long") is None and told != len(paths):
        faults.append(f"{len(paths)} paths, where the record says {told} were added to the human ones")
    rest = unchecked(PATHS, record.cell_id, "the folder holds no gold answers of most of their questions")
    return [*compared(PATHS, record.cell_id, faults), *([rest] if unknown else [])]
