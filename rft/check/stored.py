"""The stages behind records, as the store keeps them: every file against its digest, every record against its stages.

stages = stages_behind(records)                       # each key once
list(digest_findings(stages, store))                  # nothing is moved or repaired
list(record_findings(record, folder, rebuilder))      # costs, origins, facts, outcomes and paths of a record
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.archive.files import present, rows_at
from rft.check.cell import WRONG, Part, parts_of
from rft.check.finding import Finding, compared, differs, same, unchecked
from rft.check.looking import AsItIs, BucketAsItIs, DamagedError
from rft.check.rebuild import Rebuilder, meta_fault
from rft.execute.facts import TAKEN
from rft.execute.finished import weights_digest
from rft.execute.made import Made
from rft.infra.entry import digests_of
from rft.infra.manifest import Manifest
from rft.infra.stage_store import StageStore
from rft.records import OUTCOMES_FILE, Record, SetRecord, StageCost, read_json, read_jsonl
from rft.stages.kept import KEPT_FILE, rows_without_seed
from rft.stages.loss import LOSS_FILE

FILES, RECORDED = "stage files", "record against stages"
GREEDY, DRAWS = "evaluate", "vote"  # kinds whose outcomes a cell's file joins


@dataclass(frozen=True)
class Named:
    """A stage as records name it."""

    kind: str
    key: str

    @property
    def place(self) -> str:
        """For people."""
        return f"{self.kind} {self.key[:8]}"


def stages_behind(records: Iterable[Record]) -> list[Named]:
    """Every stage of these records, once, in their order."""
    return list(dict.fromkeys(one for record in records for one in stages_of(record)))


def stages_of(record: Record) -> list[Named]:
    """Those of one record, of all its test sets."""
    rows = [*record.stages, *(row for one in record.sets for row in one.stages)]
    return list(dict.fromkeys(Named(row["name"], row["key"]) for row in rows))


def digest_findings(stages: Sequence[Named], store: AsItIs | BucketAsItIs) -> Iterator[Finding]:
    """Every file of every stage is read anew."""
    for one in stages:
        try:
            entry = store.get(one.kind, one.key, verify=True)
            if entry is None:
                yield unchecked(FILES, one.place, "not in the store")
            else:
                why = meta_fault(entry.meta)
                yield from compared(FILES, one.place, [why] if why else [])
        except DamagedError as error:
            yield differs(FILES, one.place, error.why)


def record_findings(record: Record, folder: Path, stages: Rebuilder) -> Iterator[Finding]:
    """What a record and the files beside it say, against the stages that they come from."""
    manifests = _manifests(record, stages)
    if len(manifests) < len(stages_of(record)):
        yield unchecked(RECORDED, record.cell_id, "not all of its stages are in the store, or they are damaged")
    yield from compared(RECORDED, f"{record.cell_id}, stages", _input_faults(record, manifests))
    for part in parts_of(record, folder):
        yield from compared(RECORDED, part.place, _part_faults(part, manifests, stages.store))
    if "paths" in record.files:
        yield _paths_finding(record, folder, manifests, stages.store)


def _manifests(record: Record, stages: Rebuilder) -> dict[str, Manifest]:
    found = {}
    for one in stages_of(record):
        try:
            found[one.key] = stages.manifest(one.kind, one.key)
        except ValueError:
            continue
    return found


def _input_faults(record: Record, manifests: dict[str, Manifest]) -> Iterator[str]:
    """Stages that the record's own were made of, and that it does not name: also where it cannot be planned."""
    named = {one.key for one in stages_of(record)}
    for one in stages_of(record):
        for kind, key in manifests[one.key].meta.get("inputs", ()) if one.key in manifests else ():
            if key not in named:
                yield f"{one.place} was made of {kind} {key[:8]}, which the record does not name"


def _part_faults(part: Part, manifests: dict[str, Manifest], store: StageStore) -> Iterator[str]:
    record = part.record
    origins = record.provenance.get("origins", [])
    for row in record.stages:
        manifest = manifests.get(row["key"])
        if manifest is not None:
            made, name = Made.of(manifest.meta), f"{row['name']} {row['key'][:8]}"
            if origins and origins[row["origin"]] != made.origin:
                yield f"{name}: its origin is another"
            if "code" in row and row["code"] != made.code:
                yield f"{name}: its code is {made.code}, the record says {row['code']}"
            if "weights" in row and row["weights"] != weights_digest(digests_of(manifest)):
                yield f"{name}: its weights are others"
    for cost in record.cost:
        if cost.key in manifests:
            yield from _cost_faults(cost, manifests[cost.key])
    yield from _fact_faults(record, manifests, store)
    yield from _row_faults(part, manifests, store)


def _cost_faults(cost: StageCost, manifest: Manifest) -> Iterator[str]:
    made = Made.of(manifest.meta)
    for name, said, found in (
        ("seconds", cost.seconds, manifest.seconds),
        ("FLOPs", cost.flops, made.flops),
        ("tokens", cost.tokens, made.tokens),
    ):
        if said != found:
            yield f"{cost.name} {cost.key[:8]}: {name} are {found!r}, the record says {said!r}"


def _fact_faults(record: Record | SetRecord, manifests: dict[str, Manifest], store: StageStore) -> Iterator[str]:
    """Facts that no stage of the record gives; of one that several give any is right."""
    known: dict[str, list[Any]] = {}
    for row in record.stages:
        if row["key"] in manifests:
            for name, value in _facts_to(row["key"], manifests).items():
                known.setdefault(name, []).append(value)
    for name, value in record.data.items():
        found = known.get(name)
        if found is not None and value not in found:
            yield f"data.{name} is {value!r}, its stages say {' or '.join(repr(one) for one in found)}"
    if isinstance(record, Record):
        yield from _loss_faults(record, manifests, store)


def _facts_to(key: str, manifests: dict[str, Manifest]) -> dict[str, Any]:
    """What a stage gives; of a model that goes on from another what adds up, up to it."""
    meta = manifests[key].meta
    facts = dict(Made.of(meta).facts)
    for kind, earlier in meta.get("inputs", ()):
        if kind == manifests[key].name and earlier in manifests:
            facts |= {name: facts[name] + value for name, value in _taken(earlier, manifests).items() if name in facts}
    return facts


def _taken(key: str, manifests: dict[str, Manifest]) -> dict[str, Any]:
    return {name: value for name, value in _facts_to(key, manifests).items() if name in TAKEN}


def _loss_faults(record: Record, manifests: dict[str, Manifest], store: StageStore) -> Iterator[str]:
    for row in record.stages:
        path = store.folder(row["name"], row["key"]) / LOSS_FILE
        if row["name"] == "loss" and row["key"] in manifests and path.is_file():
            for name, value in _facts_in(path).items():
                if record.model.get(name) != value:
                    yield f"model.{name} is {record.model.get(name)!r}, the measured loss says {value!r}"


def _facts_in(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path)
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _row_faults(part: Part, manifests: dict[str, Manifest], store: StageStore) -> Iterator[str]:
    """The cell's outcomes, against those of the stages that graded them."""
    try:
        rows = part.rows
    except WRONG as error:
        yield f"its outcomes cannot be read: {error}"
        return
    own = [Named(row["name"], row["key"]) for row in part.record.stages if row["key"] in manifests]
    wanted = [(GREEDY, [row.greedy.to_json() for row in rows])]
    if any(row.draws for row in rows):
        wanted.append((DRAWS, [row.draws.to_json() for row in rows if row.draws]))
    for kind, said in wanted:
        stages = [one for one in own if one.kind == kind]
        found = [_stored_rows(store, one) for one in stages]
        if stages and said not in found:
            yield f"its {kind} outcomes are not those of {' or '.join(one.place for one in stages)}{_first(said, found)}"


def _stored_rows(store: StageStore, one: Named, name: str = OUTCOMES_FILE) -> list[dict[str, Any]]:
    """Of a file of a stage; none where it is damaged, which its digest tells."""
    try:
        return list(read_jsonl(store.folder(one.kind, one.key) / name))
    except (ValueError, OSError):
        return []


def _first(said: Sequence[dict[str, Any]], found: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Where the nearest of several files differs first."""
    best = max(found, key=lambda rows: sum(a == b for a, b in zip(said, rows, strict=False)))
    different = [a["id"] for a, b in zip(said, best, strict=False) if a != b]
    return f": {len(different)} of {len(said)} differ, first {different[0]}" if different else ": their numbers differ"


def _paths_finding(record: Record, folder: Path, manifests: dict[str, Manifest], store: StageStore) -> Finding:
    path = folder / record.files["paths"]
    if not present(path):
        return differs(RECORDED, record.cell_id, f"{path.name} is absent")
    said = rows_without_seed(rows_at(path))
    stages = [Named(row["name"], row["key"]) for row in record.stages if row["key"] in manifests]
    keepers = [one for one in stages if KEPT_FILE in manifests[one.key].files]
    if not keepers:
        return unchecked(RECORDED, f"{record.cell_id}, paths", "the stage that kept its paths is not in the store")
    if any(said == _stored_rows(store, one, KEPT_FILE) for one in keepers):
        return same(RECORDED, f"{record.cell_id}, paths")
    return differs(RECORDED, record.cell_id, "its kept paths are those of no stage that it rests on")
