"""A study checked: what its folders say, what the store of its stages says, and chosen stages computed once more.

    findings = verify(Path("multirun_outputs/quickstart"), Asked(store="multirun_outputs/.store", kinds=("select",)))
    print(summary_text(findings)); failed(findings)

Checked are the digests of every file; every score and rate of every record, from its outcomes; every outcome, from its
answer; every stored text, graded again; every record, from the stages that it names; of the kinds that are asked for, stages
computed again. Nothing of the study or of its store is written.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rft.archive.files import json_at
from rft.archive.reading import ABOUT_FILE, About, open_archive, part_fault
from rft.check.cell import cell_findings, record_of
from rft.check.finding import Finding, compared, differs, unchecked
from rft.check.looking import AsItIs, BucketAsItIs, looked_at
from rft.check.planned import planned_findings
from rft.check.rebuild import Rebuilder, stage_classes
from rft.check.recompute import Again
from rft.check.regrade import regrade_findings
from rft.check.stored import Named, digest_findings, record_findings, stages_behind
from rft.infra.buckets import is_url
from rft.records import RECORD_FILE, STUDY_FILE, Record
from rft.registry import suggestion
from rft.sweeps import entries_of

ALL = "all"
SEED = 0  # of the choice of stages that are computed again
STORE = "stage files"


@dataclass(frozen=True)
class Asked:
    """What of a study is to be checked beyond its own files."""

    store: str | None = None  # a folder or URL; None: none is at hand
    kinds: tuple[str, ...] = ()  # of stages that are computed again; 'all' for every kind
    sample: int | None = None  # at most so many of each kind


def verify(folder: Path, asked: Asked) -> list[Finding]:
    """All findings. Raises ValueError for a folder that is no study, and for a kind of stages that there is not."""
    if not (folder / STUDY_FILE).is_file():
        raise ValueError(
            f"{folder} is no study: it has no {STUDY_FILE}. Give its folder, e.g. multirun_outputs/quickstart"
        )
    unknown = set(asked.kinds) - {ALL, *stage_classes()}
    if unknown:
        name = min(unknown)
        raise ValueError(f"there is no kind of stages {name!r}{suggestion(name, stage_classes())}")
    found = list(_archive_findings(folder))
    if any(one.why for one in found):
        return [*found, unchecked("records", str(folder), "the archive cannot be opened")]
    cells = list(_cells(folder))
    found += [cell for cell in cells if isinstance(cell, Finding)]
    records = [cell for cell in cells if not isinstance(cell, Finding)]
    for place, record in records:
        found += cell_findings(place, record)
    store = looked_at(asked.store) if asked.store is not None and _is_there(asked.store) else None
    for _, record in records:
        found += planned_findings(record, store)
    return found + list(_stage_findings(records, asked, store))


def _archive_findings(folder: Path) -> Iterator[Finding]:
    if not (folder / ABOUT_FILE).is_file():
        return
    try:
        about = About.read(folder / ABOUT_FILE)
    except (ValueError, KeyError, TypeError) as error:
        yield differs("archive", ABOUT_FILE, str(error))
        return
    for name, part in about.parts.items():
        why = part_fault(folder / name, part)
        yield from compared("archive", name, [why] if why else [])


def _cells(folder: Path) -> Iterator[tuple[Path, Record] | Finding]:
    try:
        entries = entries_of(json_at(folder / STUDY_FILE), path=folder / STUDY_FILE)
    except ValueError as error:
        yield differs("records", STUDY_FILE, str(error))
        return
    for entry in entries:
        place = folder / str(entry["folder"])
        record = record_of(place, cell_id=str(entry["cell_id"]))
        yield record if isinstance(record, Finding) else (place, record)
    if (folder / ABOUT_FILE).is_file():
        held = set(open_archive(folder).recorded())
    else:
        held = {path.parent.name for path in folder.glob(f"*/{RECORD_FILE}")}
    for name in sorted(held - {str(entry["folder"]) for entry in entries}):
        yield unchecked("records", name, f"{STUDY_FILE} does not name it: no analysis reads it")


def _is_there(root: str) -> bool:
    return is_url(root) or Path(root).is_dir()


def _stage_findings(
    records: Sequence[tuple[Path, Record]], asked: Asked, store: AsItIs | BucketAsItIs | None
) -> Iterator[Finding]:
    stages = stages_behind([record for _, record in records])
    if store is None:
        why = (
            "no store is at hand (--store says where it lies)"
            if asked.store is None
            else f"there is no store in {asked.store}"
        )
        yield from (unchecked(STORE, one.place, why) for one in stages)
        return
    rebuilt = Rebuilder(store)
    yield from digest_findings(stages, store)
    for place, record in records:
        yield from record_findings(record, place, rebuilt)
    with tempfile.TemporaryDirectory(prefix="rft-verify-") as scratch:
        again = Again(rebuilt, Path(scratch))
        try:
            yield from regrade_findings(stages, rebuilt, again)
            yield from _again(stages, asked, again)
        finally:
            again.close()


def _again(stages: Sequence[Named], asked: Asked, again: Again) -> Iterator[Finding]:
    kinds = dict.fromkeys(one.kind for one in stages)
    if asked.kinds and ALL not in asked.kinds:
        kinds = {kind: None for kind in kinds if kind in asked.kinds}
    elif not asked.kinds and asked.sample is None:
        yield unchecked("computed again", f"{len(stages)} stages", "not asked for (--stages KIND,... or --sample N)")
        return
    draw = random.Random(SEED)
    for kind in kinds:
        own = [one for one in stages if one.kind == kind]
        chosen = own if asked.sample is None else draw.sample(own, min(asked.sample, len(own)))
        for one in chosen:
            yield from again.findings(one)
        if len(chosen) < len(own):
            yield unchecked("computed again", f"{len(own) - len(chosen)} further {kind} stages", "--sample")
