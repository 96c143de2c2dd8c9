"""`rft archive DIR`: keep a finished study in a few megabytes, for version control; every reader takes it for the study.

    rft archive multirun_outputs/quickstart             # -> multirun_outputs/reference/quickstart
    rft archive multirun_outputs/mine --to FOLDER --partial
    rft plot multirun_outputs/reference/quickstart      # the figures of the live study

A study with missing cells, or with outcomes that contradict their records, is refused unless `--partial` is given; the
archive then says which cells it lacks.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rft.archive.reading import REFERENCES


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, write, print; 2 with a message when the study cannot be archived."""
    parser = argparse.ArgumentParser(prog="rft archive", description="A study in a few megabytes.")
    parser.add_argument("folder", type=Path, metavar="DIR", help="the study, e.g. multirun_outputs/quickstart")
    parser.add_argument(
        "--to", type=Path, help=f"folder of the archive (default: {REFERENCES}/NAME); an archive there is replaced"
    )
    parser.add_argument(
        "--partial", action="store_true", help="although cells are missing, which the archive then says"
    )
    parser.add_argument("--samples", type=int, metavar="N", help="sampled solutions kept of each cell (default: all)")
    options = parser.parse_args(arguments)
    to = options.to or REFERENCES / options.folder.resolve().name
    try:
        print(archive(options.folder, to=to, partial=options.partial, samples=options.samples))
    except (ValueError, OSError) as error:
        print(f"rft archive: {error}", file=sys.stderr)
        return 2
    return 0


def archive(folder: Path, *, to: Path, partial: bool = False, samples: int | None = None) -> str:
    """Check the study, write its archive; returns the text to print. Raises ValueError when it is refused."""
    from rft.archive.reading import ABOUT_FILE
    from rft.archive.writing import write_archive
    from rft.records import STUDY_FILE

    if not (folder / STUDY_FILE).is_file():
        raise ValueError(f"{folder} is no study folder: it has no {STUDY_FILE}")
    if to.is_dir() and any(to.iterdir()) and not (to / ABOUT_FILE).is_file():
        raise ValueError(f"{to} is there and is no archive: give another folder")
    if to.resolve() == folder.resolve():
        raise ValueError(f"{folder} would be replaced by its own archive: give another folder")
    missing = _untrusted(folder)
    if missing and not partial:
        some = "; ".join(f"{name}: {reason}" for name, reason in list(missing.items())[:3])
        raise ValueError(
            f"{folder} is not finished, {len(missing)} of its cells are missing or contradict themselves ({some}): finish "
            "it, or archive what there is with --partial"
        )
    about = write_archive(folder, to=to, missing=missing, samples_per_cell=samples)
    size = sum(part.bytes for part in about.parts.values())
    lacking = f", {len(missing)} cells missing" if missing else ""
    return f"{to}: {about.num_cells} cells{lacking}, {size:,} bytes in {len(about.parts)} parts"


def _untrusted(folder: Path) -> dict[str, str]:
    """Cells without a record that agrees with its outcomes, on each of its test sets, by id, with the reason."""
    from analysis.load.checks import verified
    from analysis.load.studies import load_every_set

    table, outcomes = verified(load_every_set([folder]))
    reasons = {gap.cell_id: gap.reason for gap in table.missing}
    for cell in table.cells:
        if cell.folder in outcomes.unreadable:
            reasons[cell.cell_id] = outcomes.unreadable[cell.folder]
    inside = f"{folder}/"  # where the study lay is nothing to an archive
    return {name: why.partition(": ")[2] if why.startswith(inside) else why for name, why in reasons.items()}
