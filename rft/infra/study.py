"""A study folder: its manifest of cells, and the lock under which cells register.

    study = Study(Path("multirun_outputs/quickstart"), name="quickstart", sweep=new_token())
    study.begin(replace=False, command=sys.argv[1:])          # once per multirun; sweeps into one study add to it
    study.register(["nano-s_sft_f1_s0-1a2b3c4d"])             # in one write
    study.path_of("nano-s_sft_f1_s0-1a2b3c4d")                # the cell's own folder, which no other cell ever uses
    study.end()                                               # once per multirun

`study.json`:
    {"schema_version": 2, "study": "quickstart", "group": "quickstart-20261122-211500",
     "cells": [{"cell_id": "nano-s_sft_f1_s0-1a2b3c4d", "folder": "nano-s_sft_f1_s0-1a2b3c4d"}],
     "sweeps": [{"number": 1, "started": "...", "command": "-m method=sft", "cells": ["nano-s_sft_f1_s0-1a2b3c4d"]}]}

A job that could not be planned is no cell. It stands in the list with `"invalid": true` until a cell of the next multirun is
planned, so that nobody takes the study for complete. What a multirun drops waits until then too: one that is refused changes
nothing. Several may be at work in one study, each under its token in `"under_way"`, from `begin` to `end`: what one asks for
enters its own sweep, and none drops what another has entered since. One whose process has ended without a word is forgotten
when the next begins.
"""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from rft.archive.files import json_at, present
from rft.archive.seals import fault
from rft.archive.sound import reason_of
from rft.infra.disk import children, disk_errors, remove_halves
from rft.infra.live import LIVE_FOLDER, SLURM_FOLDER
from rft.infra.masking import mark_of, mask_arguments, mask_tree
from rft.infra.owners import Owner
from rft.records import FAILURE_FILE, RECORD_FILE, SCHEMA_VERSION, STUDY_FILE, Record, read_json, write_json
from rft.sweeps import Sweep, entries_of, sweeps_of
from rft.whole import own_file

LOCK_TIMEOUT_S = 120.0
FOLDER_SETTING = "hydra.sweep.dir"
UNDER_WAY = "under_way"  # in a manifest: the multiruns at work, by token
INVALID = "invalid-"  # how the folders of jobs that could not be planned begin
OWN_FOLDERS = (LIVE_FOLDER, "wandb", SLURM_FOLDER)  # written into while a sweep runs
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)  # made once: json.dumps makes one a call


@dataclass(frozen=True)
class Study:
    """One study folder."""

    folder: Path
    name: str
    sweep: str = ""  # token of the multirun that registers: of several at work in one study each has its own

    def begin(self, *, replace: bool = False, command: Sequence[str] = ()) -> None:
        """Start a multirun, whose cells are those that register from now on. With the first, in one write, invalid jobs
        of earlier multiruns are forgotten, and with `replace` all cells: their folders stay."""

        def change(manifest: dict[str, Any]) -> dict[str, Any]:
            others = {
                token: one
                for token, one in _under_way(manifest).items()
                if token != self.sweep and not Owner(**one["owner"]).gone()
            }
            spared = {name for one in others.values() for name in one["invalid"]}
            invalid = [entry["cell_id"] for entry in manifest["cells"] if entry.get("invalid")]
            drop = (
                [entry["cell_id"] for entry in manifest["cells"]]
                if replace
                else [n for n in invalid if n not in spared]
            )
            mine = {"owner": asdict(Owner.this()), "command": " ".join(mask_arguments(command)), "drop": drop}
            return _with_under_way(manifest, others | {self.sweep: mine | {"invalid": [], "number": None}})

        self._update(change)

    def end(self) -> None:
        """The multirun is over, however it went."""
        if (self.folder / STUDY_FILE).exists():
            self._update(self._without_this)

    def _without_this(self, manifest: dict[str, Any]) -> dict[str, Any]:
        others = {token: one for token, one in _under_way(manifest).items() if token != self.sweep}
        return _with_under_way(manifest, others)

    def drop(self, cell_ids: Collection[str]) -> None:
        """Take cells off the list. Their folders stay, and all that the store holds."""
        self._update(lambda manifest: _without(manifest, cell_ids))

    def sweeps(self) -> list[Sweep]:
        """The sweeps into the study, oldest first."""
        path = self.folder / STUDY_FILE
        return sweeps_of(json_at(path)) if path.exists() else []

    def group(self) -> str:
        """The W&B group: fixed when the study's folder is first used."""
        return str(self._update(lambda manifest: manifest)["group"])

    def cells(self) -> list[dict[str, Any]]:
        """The cells of the manifest: `cell_id`, `folder`, and `invalid` for jobs that could not be planned."""
        path = self.folder / STUDY_FILE
        return entries_of(json_at(path), path=path) if path.exists() else []

    def path_of(self, cell_id: str) -> Path:
        """The folder of a cell. Raises ValueError for one that would lie elsewhere."""
        folder = self.folder / cell_id
        if Path(cell_id).name != cell_id or cell_id in ("", "..") or folder.is_symlink():
            raise ValueError(
                f"{folder} is a link, or no folder directly in the study: remove it, or copy what it points to"
            )
        return folder

    def register(self, cell_ids: Sequence[str]) -> None:
        """Enter cells that are not there yet, in one write."""
        forgotten: list[str] = []

        def add(manifest: dict[str, Any]) -> dict[str, Any]:
            invalid = {entry["folder"] for entry in manifest["cells"] if entry.get("invalid")}
            invalid = {folder for folder in invalid if folder.startswith(INVALID)}  # a cell's folder never goes
            manifest = _begun(_keeping(manifest, cell_ids, but=self.sweep), self.sweep)
            forgotten.extend(invalid - {entry["folder"] for entry in manifest["cells"]})
            known = {entry["cell_id"] for entry in manifest["cells"]}
            new = [name for name in dict.fromkeys(cell_ids) if name not in known]
            listed = manifest | {"cells": [*manifest["cells"], *({"cell_id": name, "folder": name} for name in new)]}
            return _in_its_sweep(listed, cell_ids, token=self.sweep)

        self._update(add)
        for folder in forgotten:
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def register_invalid(self, job: str, *, reason: str) -> None:
        """Enter a job that could not be planned, with the reason; `job` names it by its overrides."""
        shown = " ".join(mask_arguments(job.split(" ")))
        mark = mark_of(job, secret=shown != job)
        folder, name = f"{INVALID}{mark}", f"invalid job ({shown})" + ("" if shown == job else f" {mark}")
        entry = {"cell_id": name, "folder": folder, "invalid": True}

        def add(manifest: dict[str, Any]) -> dict[str, Any]:
            others = [one for one in manifest["cells"] if one["cell_id"] != name]
            under_way = _under_way(_keeping(manifest, [name]))
            if self.sweep in under_way:
                mine = under_way[self.sweep]
                under_way[self.sweep] = mine | {"invalid": [*mine["invalid"], name]}
            return _with_under_way(manifest, under_way) | {"cells": [*others, entry]}

        self._update(add)
        self._write_failure(folder, {"cell_id": name, "reason": reason, "stage": None})

    def record(self, cell_id: str, *, cell_key: str) -> Record | None:
        """The finished record of exactly this cell; None where there is none that can be read, or it was edited since."""
        path = self.path_of(cell_id) / RECORD_FILE
        try:
            found = Record.from_json(read_json(path)) if path.exists() and fault(path.parent) is None else None
        except (ValueError, TypeError, KeyError, AttributeError, OSError):
            return None
        return found if found is not None and found.cell_key == cell_key else None

    def complete(self, cell_id: str, *, cell_key: str, sets: Collection[tuple[str, str]] = ()) -> bool:
        """Whether the finished record of exactly this cell is there and holds these further test sets, by name and key."""
        return holds(self.record(cell_id, cell_key=cell_key), sets)

    def clear(self, cell_id: str, *, cell_key: str) -> None:
        """Take a failure, and the record of another cell, out of the way; a record of this one is about to be extended."""
        folder = self.path_of(cell_id)
        for link in [path for path in children(folder) if path.is_symlink()]:
            link.unlink()  # the link alone: what it points to is somebody else's
        remove_halves(folder)
        if self.record(cell_id, cell_key=cell_key) is None:
            (folder / RECORD_FILE).unlink(missing_ok=True)
        (folder / FAILURE_FILE).unlink(missing_ok=True)

    def fail(self, cell_id: str, *, reason: str, stage: str | None) -> None:
        """Write why a cell has no record."""
        self._write_failure(cell_id, {"cell_id": cell_id, "reason": reason, "stage": stage})

    @contextmanager
    def failing(self, cell_id: str) -> Iterator[None]:
        """Context of work on a cell: an exception is written down as the reason why it has no record, and raised again."""
        try:
            with disk_errors(self.folder, f"writing {cell_id}", setting=FOLDER_SETTING):
                yield
        except BaseException as error:
            with suppress(OSError):  # the disk may be what failed; the error itself still reaches the caller
                self.fail(cell_id, reason=f"{type(error).__name__}: {error}".removesuffix(": "), stage=None)
            raise

    def _write_failure(self, folder: str, row: Mapping[str, Any]) -> None:
        place = self.path_of(folder)
        place.mkdir(parents=True, exist_ok=True)
        write_json(place / FAILURE_FILE, {**mask_tree(row), "time": time.strftime("%FT%T%z")})

    def summary(self, *, without: Collection[str] = ()) -> tuple[int, dict[str, str]]:
        """(finished cells, reason by cell id of every cell without a record), of the manifest but for the cells `without`."""
        missing: dict[str, str] = {}
        cells = [entry for entry in self.cells() if entry["cell_id"] not in without]
        for entry in cells:
            folder = self.folder / entry["folder"]
            if present(folder / RECORD_FILE) or folder.is_symlink():
                if (why := fault(folder) or _unlike(folder, entry["cell_id"])) is not None:
                    missing[entry["cell_id"]] = why
                continue
            reason = reason_of(folder)
            missing[entry["cell_id"]] = "not finished" if reason is None else reason.text
        return len(cells) - len(missing), missing

    def summary_text(self) -> str:
        """The summary in words, a line for each missing cell, or for many with one reason; empty without cells."""
        finished, missing = self.summary()
        if finished + len(missing) == 0:
            return ""
        lines = [f"{self.folder}: {finished} of {finished + len(missing)} cells have a record"]
        by_reason: dict[str, list[str]] = {}
        for cell_id, reason in missing.items():
            by_reason.setdefault(reason, []).append(cell_id)
        lines += [_missing_line(names, reason) for reason, names in by_reason.items()]
        return "\n".join([*lines, *(f"  not extended: {name}: {reason}" for name, reason in self._not_extended())])

    def _not_extended(self) -> Iterator[tuple[str, str]]:
        """Finished cells that could not be extended by test sets, with the reason."""
        for entry in self.cells():
            folder = self.folder / entry["folder"]
            if present(folder / RECORD_FILE) and (reason := reason_of(folder)) is not None:
                yield entry["cell_id"], reason.text

    def _update(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        with disk_errors(self.folder, "writing the list of cells", setting=FOLDER_SETTING):
            return self._locked_update(change)

    def _locked_update(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / STUDY_FILE
        for inner in (path, *(self.folder / name for name in OWN_FOLDERS)):
            if inner.is_symlink():
                raise ValueError(f"{inner} is a link: what a study writes lies in its own folder; remove the link")
        with FileLock(self.folder / f".{STUDY_FILE}.lock", timeout=LOCK_TIMEOUT_S):
            remove_halves(self.folder)
            before = read_json(path) if path.exists() else self._fresh()
            entries_of(before, path=path)
            after = change(before)
            if after != before or not path.exists():
                with own_file(path) as file:
                    file.write(_text(after))
        return after

    def _fresh(self) -> dict[str, Any]:
        group = f"{self.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        return {"schema_version": SCHEMA_VERSION, "study": self.name, "group": group, "cells": [], "sweeps": []}


def holds(found: Record | None, sets: Collection[tuple[str, str]]) -> bool:
    """Whether a cell is finished and its record holds these further test sets, by name and key."""
    return found is not None and set(sets) <= {(one.name, one.key) for one in found.sets}


def _unlike(folder: Path, cell_id: str) -> str | None:
    """Why a record is not one of this cell; None where it is."""
    try:
        row = json_at(folder / RECORD_FILE)
    except (ValueError, OSError) as error:
        return f"unreadable record: {error}"
    found = row.get("cell_id") if isinstance(row, dict) else None
    return None if found == cell_id else f"its folder holds another cell ({found}); run the study again"


def _missing_line(cell_ids: Sequence[str], reason: str) -> str:
    if len(cell_ids) == 1:
        return f"  missing: {cell_ids[0]}: {reason}"
    return f"  missing: {len(cell_ids)} cells: {reason} ({', '.join(cell_ids)})"


def new_token() -> str:
    """A name for a multirun."""
    return secrets.token_hex(4)


def _under_way(manifest: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The multiruns at work, by token."""
    return dict(manifest.get(UNDER_WAY, {}))


def _with_under_way(manifest: dict[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in manifest.items() if key != UNDER_WAY}
    return rest | {UNDER_WAY: dict(found)} if found else rest


def _begun(manifest: dict[str, Any], token: str) -> dict[str, Any]:
    """The manifest once this multirun has a cell: what it drops is gone, its sweep is there."""
    under_way = _under_way(manifest)
    mine = under_way.get(token)
    if mine is None or mine["number"] in [one.number for one in sweeps_of(manifest)]:
        return manifest
    found = _with_sweep(_without(manifest, mine["drop"]), mine["command"])
    number = sweeps_of(found)[-1].number
    return _with_under_way(found, under_way | {token: mine | {"drop": [], "number": number}})


def _keeping(manifest: dict[str, Any], cell_ids: Collection[str], *, but: str | None = None) -> dict[str, Any]:
    """The manifest of which no multirun under way, `but` one, drops these entries."""
    names = set(cell_ids)
    kept = {
        token: one if token == but else one | {"drop": [name for name in one["drop"] if name not in names]}
        for token, one in _under_way(manifest).items()
    }
    return _with_under_way(manifest, kept)


def _without(manifest: dict[str, Any], gone: Collection[str]) -> dict[str, Any]:
    """The manifest with cells taken off, of its sweeps too."""
    kept = [entry for entry in manifest["cells"] if entry["cell_id"] not in gone]
    sweeps = [replace(one, cells=tuple(c for c in one.cells if c not in gone)) for one in sweeps_of(manifest)]
    return _noted(manifest | {"cells": kept}, sweeps)


def _with_sweep(manifest: dict[str, Any], command: str) -> dict[str, Any]:
    """The manifest with a sweep begun; cells from before sweeps were noted make the first. A sweep that asked for no cell is
    forgotten."""
    sweeps = [one for one in sweeps_of(manifest) if one.cells]
    earlier = tuple(str(entry["cell_id"]) for entry in manifest["cells"])
    if not sweeps and earlier:
        sweeps = [Sweep(1, None, "", earlier)]
    taken = [one.number for one in sweeps] + [one["number"] or 0 for one in _under_way(manifest).values()]
    number = max(taken, default=0) + 1
    return _noted(manifest, [*sweeps, Sweep(number, time.strftime("%FT%T%z"), command, ())])


def _in_its_sweep(manifest: dict[str, Any], cell_ids: Sequence[str], *, token: str) -> dict[str, Any]:
    """The manifest with cells entered into the sweep of a multirun, of one that is not under way into the latest; a cell that
    runs alone belongs to none."""
    sweeps = sweeps_of(manifest)
    if not sweeps:
        return manifest
    mine = _under_way(manifest).get(token)
    number = sweeps[-1].number if mine is None else mine["number"]
    return _noted(
        manifest,
        [
            replace(one, cells=tuple(dict.fromkeys((*one.cells, *cell_ids)))) if one.number == number else one
            for one in sweeps
        ],
    )


def _noted(manifest: dict[str, Any], sweeps: Sequence[Sweep]) -> dict[str, Any]:
    return manifest | {"sweeps": [one.to_json() for one in sweeps]}


def _text(manifest: Mapping[str, Any]) -> str:
    """A line for each cell and sweep: jobs that are launched one by one write it all anew each time, and the encoder that
    indents takes ten times as long."""
    return "{\n" + ",\n".join(f" {_plain(key)}: {_value_text(value)}" for key, value in manifest.items()) + "\n}\n"


def _value_text(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return _plain(value)
    return "[\n" + ",\n".join(f"  {_plain(one)}" for one in value) + "\n ]"


def _plain(value: Any) -> str:
    return _ENCODER.encode(value)
