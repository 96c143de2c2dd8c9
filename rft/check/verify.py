"""A study checked: what its folders say, what the store of its stages says, and chosen stages computed once more.

    findings = verify(Path("multirun_outputs/quickstart"), Asked(store="multirun_outputs/.store", kinds=("select",)))
    print(summary_text(findings)); failed(findings)

Checked are the digests of every file; every score and rate of every record, from its outcomes; every outcome, from its
answer; every stored text, graded again; every record, from the stages that it names; of the kinds that are asked for, stages
computed again. Nothing of the study or of its store is written.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rft.archive.files import json_at
from rft.archive.reading import ABOUT_FILE, About, open_archive, part_fault
from rft.check.cell import cell_findings, guarded, record_of
from rft.check.finding import Finding, compared, differs, unchecked
from rft.check.looking import AsItIs, BucketAsItIs, looked_at
from rft.check.planned import CELL, planned_findings
from rft.check.rebuild import Rebuilder, stage_classes
from rft.check.recompute import AGAIN, Again
from rft.check.regrade import regrade_findings
from rft.check.stored import RECORDED, Named, digest_findings, record_findings, stages_behind
from rft.infra.buckets import is_url
from rft.records import RECORD_FILE, STUDY_FILE, Record
from rft.registry import suggestion
from rft.sweeps import entries_of, study_named

ALL = "all"
SEED = 0  # of the choice of stages that are computed again
STORE = "stage files"


@dataclass(frozen=True)
class Asked:
    """What of a study is to be checked beyond its own files."""

    store: str | None = None  # a folder or URL; None: none is at hand
    kinds: tuple[str, ...] = ()  # of stages that are computed again; 'all' for every kind
    sample: int | None = None  # at most so many of each kind
    config_dir: Path | None = None  # configuration files of the user's own, with which cells are planned again


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
    study = None  # its name in the list of cells
    try:
        study = study_named(json_at(folder / STUDY_FILE), path=folder / STUDY_FILE)
    except ValueError as error:
        found.append(differs("records", STUDY_FILE, str(error)))
    found += [cell for cell in cells if isinstance(cell, Finding)]
    records = [cell for cell in cells if not isinstance(cell, Finding)]
    for place, record in records:
        found += guarded("records", record.cell_id, cell_findings(place, record))
    found += name_findings([record for _, record in records], study=study)
    store = looked_at(asked.store) if asked.store is not None and _is_there(asked.store) else None
    for place, record in records:
        found += guarded(CELL, record.cell_id, planned_findings(record, place, store, config_dir=asked.config_dir))
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


def name_findings(records: Sequence[Record], *, study: str | None) -> Iterator[Finding]:
    """Names that rest on no stage: of the study as its list has it, of data as other cells with the same settings have it."""
    called: dict[str, Counter[str]] = {}
    for record in records:
        called.setdefault(_data_setting(record), Counter())[record.names.get("data", "")] += 1
    for record in records:
        name, ((usual, _), *others) = record.names.get("data", ""), called[_data_setting(record)].most_common()
        faults = (
            []
            if study in (None, record.study)
            else [f"it is of study {record.study!r}, its list of cells of {study!r}"]
        )
        if others:
            usual = next(one for one in (usual, others[0][0]) if one != name)
            faults.append(f"its data are called {name}, those of other cells with the same settings {usual}")
        yield from compared("names", record.cell_id, faults)


def _data_setting(record: Record) -> str:
    return json.dumps({key: one for key, one in record.setting.items() if key.startswith("data.")}, sort_keys=True)


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
        yield from guarded(RECORDED, record.cell_id, record_findings(record, place, rebuilt))
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
        yield unchecked(AGAIN, f"{len(stages)} stages", "not asked for (--stages KIND,... or --sample N)")
        return
    draw = random.Random(SEED)
    for kind in kinds:
        own = [one for one in stages if one.kind == kind]
        chosen = own if asked.sample is None else draw.sample(own, min(asked.sample, len(own)))
        for one in chosen:
            yield from guarded(AGAIN, one.place, again.findings(one))
        if len(chosen) < len(own):
            yield unchecked(AGAIN, f"{len(own) - len(chosen)} further {kind} stages", "--sample")
