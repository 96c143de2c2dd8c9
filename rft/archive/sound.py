"""Is this cell sound: the one way to a cell's record for whoever reads a single cell.

    record = sound_record(folder / "nano-s_sft_f1_s0-1a2b3c4d")     # ValueError, in words, where it is not as it was written
    reason = reason_of(folder / "nano-s_sft_f1_s0-1a2b3c4d")        # Reason(text="loss became NaN", stage="finetune")

Sound is a record that can be read, and whose own digest and those of the files beside it fit (an archive's are checked when
it is opened). A record from before digests were kept is taken as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rft.archive.files import archive_of, json_at, present
from rft.archive.seals import fault
from rft.records import FAILURE_FILE, RECORD_FILE, Record


@dataclass(frozen=True)
class Reason:
    """Why a cell has no record."""

    text: str
    stage: str | None = None  # that failed


def sound_record(folder: Path) -> Record:
    """The record of a finished cell. Raises ValueError where there is none, or it is not as it was written."""
    if not present(folder / RECORD_FILE):
        raise ValueError(
            f"{folder} has no {RECORD_FILE}: it is not finished; give the folder of a finished cell, DIR/CELL"
        )
    if archive_of(folder / RECORD_FILE) is None and (why := fault(folder)) is not None:
        raise ValueError(f"{folder}: {why}; run the study again, which makes it anew")
    try:
        return Record.from_json(json_at(folder / RECORD_FILE))
    except ValueError as error:
        raise ValueError(f"{folder / RECORD_FILE} is no record: {error}") from None


def reason_of(folder: Path) -> Reason | None:
    """Why a cell has no record, as its failure.json says; None where that is not there."""
    if not present(folder / FAILURE_FILE):
        return None
    try:
        row = json_at(folder / FAILURE_FILE)
        stage = row.get("stage")
        return Reason(str(row["reason"]), None if stage is None else str(stage))
    except (ValueError, KeyError, AttributeError, TypeError, OSError):
        return Reason(f"failed; {FAILURE_FILE} cannot be read")
