"""From a number back to what made it: the stages of a cell, their code, packages, machine; and why another cell differs.

record = find_cell(folder, "nano-s_sft_f1_s0")
print(explain(record, store=Store(root)))
print(explain_other(record, find_cell(folder, other), store=store))           # against another cell of the study
print(explain_overrides(record, ["train.lr=2e-3"], store=store))
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.archive.files import json_at
from rft.archive.sound import sound_record
from rft.changes import changed_values
from rft.check.rebuild import Rebuilder
from rft.check.stored import stages_of
from rft.check.why import KEY_DIGITS, StageView, changes
from rft.execute import code
from rft.infra.code import changed_parts
from rft.infra.stage_store import StageStore
from rft.infra.units import duration_text
from rft.plan.cell import CellPlan
from rft.records import STUDY_FILE, Record
from rft.registry import suggestion
from rft.stages.stage import Stage
from rft.sweeps import entries_of

UNKNOWN = "unknown"
LIBRARIES = ("torch", "transformers", "tokenizers", "ctranslate2", "vllm", "numpy", "rapidfuzz", "rft-scaling")
MOST_NAMED = 5


def find_cell(folder: Path, name: str) -> Record:
    """A cell of a study by its id or the beginning of it. Raises ValueError where none or several have it, and where it was
    edited or damaged since it was written."""
    entries = (
        entries_of(json_at(folder / STUDY_FILE), path=folder / STUDY_FILE) if (folder / STUDY_FILE).is_file() else []
    )
    found = {str(entry["cell_id"]): folder / str(entry["folder"]) for entry in entries}
    named = [one for one in found if one == name] or [one for one in found if one.startswith(name)]
    if len(named) != 1:
        some = f"; it could be {', '.join(named[:3])}" if named else suggestion(name, found)
        raise ValueError(f"{folder} has {'several cells' if named else 'no cell'} {name!r}{some}")
    return sound_record(found[named[0]])


def explain(record: Record, *, store: StageStore | None) -> str:
    """The cell's scores, then every stage, inputs first, then where they were made."""
    run, origins = record.provenance, record.provenance.get("origins", [])
    lines = [f"{record.cell_id} of study {record.study}"]
    lines += [
        f"  {name} {100 * score.value:.2f} ± {100 * score.se:.2f} % (n = {score.n})"
        for name, score in record.scores.items()
    ]
    lines += [
        f"assembled {run.get('started', UNKNOWN)}, {_commit(run)}: {' '.join(run.get('command', []))}".rstrip(": ")
    ]
    lines.append("stages, inputs first [where each was made]:")
    rebuilt = None if store is None else Rebuilder(store)
    seconds = {cost.key: cost.seconds for cost in record.cost}
    for row in record.stages:
        place = f"[{row['origin'] + 1}]" if origins else ""
        took = f", {duration_text(seconds[row['key']])}" if row["key"] in seconds else ""
        lines.append(f"  {row['name']} {row['key'][:KEY_DIGITS]} {place}{took}, code {_code(row, rebuilt)}")
        lines += [f"      {text}" for text in _inputs(row, rebuilt)]
    lines.append("made:")
    lines += [f"  [{number}] {_origin(one)}" for number, one in enumerate(origins, 1)]
    return "\n".join(lines)


def _commit(made: Mapping[str, Any]) -> str:
    commit = made.get("commit")
    dirty = {True: ", with changes that no commit holds", None: ", changes unknown"}.get(made.get("dirty"), "")
    return f"commit {commit[:12]}{dirty}" if commit else "commit unknown"


def _origin(made: Mapping[str, Any]) -> str:
    if not made:
        return f"{UNKNOWN}: from before it was kept"
    versions = made.get("versions", {})
    packages = ", ".join(f"{name} {versions[name]}" for name in LIBRARIES if versions.get(name))
    machine = [made.get("gpu"), made.get("cpu"), made.get("cpu_capability"), made.get("platform")]
    limits = [f"{name}={value}" for name, value in made.get("limits", {}).items()]
    parts = [
        _commit(made),
        ", ".join(str(one) for one in machine if one),
        f"{made.get('device', UNKNOWN)}, {made.get('threads', UNKNOWN)} thread(s), numerics {made.get('numerics', UNKNOWN)}",
        f"python {made.get('python', UNKNOWN)}, {packages}",
        *([", ".join(limits)] if limits else []),
    ]
    return "; ".join(parts)


def _code(row: Mapping[str, Any], rebuilt: Rebuilder | None) -> str:
    """The code that made a stage, against today's."""
    made = row.get("code")
    if made is None:
        return UNKNOWN
    if rebuilt is None:
        return str(made)[:KEY_DIGITS]
    try:
        now = code.behind(rebuilt.stage(row["name"], row["key"]))
    except ValueError:
        return str(made)[:KEY_DIGITS]
    if now is None or now.digest == made:
        return f"{made[:KEY_DIGITS]} (as today)"
    before = code.kept_parts(rebuilt.store, made)
    named = changed_parts(before, now.parts)[:MOST_NAMED] if before is not None else ["definitions not known"]
    return f"{made[:KEY_DIGITS]} (other than today: {', '.join(named)})"


def _inputs(row: Mapping[str, Any], rebuilt: Rebuilder | None) -> Iterator[str]:
    if rebuilt is None:
        return
    try:
        meta = rebuilt.manifest(row["name"], row["key"]).meta
    except ValueError as error:
        yield str(error)
        return
    made = ", ".join(f"{kind} {key[:KEY_DIGITS]}" for kind, key in meta["inputs"])
    if made:
        yield f"of {made}"


def explain_other(one: Record, other: Record, *, store: StageStore | None) -> str:
    """Why the stages of another cell are others than these."""
    lines = [f"{one.cell_id} -> {other.cell_id}", *_configuration(one.setting, other.setting, one.seeds, other.seeds)]
    if store is None:
        return "\n".join([*lines, "why each stage differs is not known without the store (--store)"])
    return "\n".join([*lines, *_stage_lines(_stored(one, store), _stored(other, store), store=store)])


def explain_overrides(
    record: Record, overrides: Sequence[str], *, store: StageStore | None, config_dir: Path | None = None
) -> str:
    """Which stages would run if the cell were run with these words besides, and why."""
    before, after = (_planned(record, words, config_dir=config_dir) for words in ((), overrides))
    lines = [f"{record.cell_id} with {' '.join(overrides)}"]
    if before.cell_key != record.cell_key:
        lines.append(
            "today's code plans another cell from this record's configuration: an option, a method or a version has changed"
        )
        lines += [f"  {text}" for text in changed_values(record.setting, before.setting)]
    lines += _configuration(before.setting, after.setting, before.seeds, after.seeds)
    return "\n".join([*lines, *_stage_lines(_views(before), _views(after), store=store)])


def _planned(record: Record, overrides: Sequence[str], *, config_dir: Path | None) -> CellPlan:
    from rft.execute.cell import plan_cell
    from rft.plan.composing import composed, overrides_of
    from rft.plan.typed import to_study_config

    words = [*overrides_of(record, config_dir=config_dir), *overrides]
    return plan_cell(to_study_config(composed(words, config_dir=config_dir))).plan


def _configuration(
    before: Mapping[str, Any], after: Mapping[str, Any], seeds: Mapping[str, int], other_seeds: Mapping[str, int]
) -> list[str]:
    found = [*changed_values(before, after), *changed_values(seeds, other_seeds)]
    return ["configuration:", *(f"  {text}" for text in found)] if found else ["configuration: the same"]


def _stage_lines(before: Sequence[StageView], after: Sequence[StageView], *, store: StageStore | None) -> list[str]:
    found = changes(before, after)
    kept = len(after) - len(found)
    lines = [f"stages: {kept} of {len(after)} are the same, {len(found)} are others" + (":" if found else "")]
    for one in found:
        there = "" if store is None else " (in the store)" if store.has(one.kind, one.key) else " (would run)"
        lines.append(f"  {one.kind} {one.key[:KEY_DIGITS]}{there}: {one.why}")
    return lines


def _views(plan: CellPlan) -> list[StageView]:
    return [_view(stage) for stage in plan.stages]


def _view(stage: Stage[Any]) -> StageView:
    return StageView(stage.kind, stage.key, stage.edition, stage.identity())


def _stored(record: Record, store: StageStore) -> list[StageView]:
    rebuilt, found = Rebuilder(store), []
    for one in stages_of(record):
        try:
            fields = rebuilt.manifest(one.kind, one.key).meta["identity"]
        except ValueError:
            fields = {}
        found.append(StageView(one.kind, one.key, None, fields))
    return found
