"""What a store holds: every finished stage, its model, and which studies, pins and live sweeps need it.

    studies = known_studies(store, also=[Path("multirun_outputs/mine")])
    held_stages(store, studies.there)       # [Held(info=..., model="nano-s", studies=("quickstart",), pinned=False, ...)]
    studies.missing                         # noted in the store, and not to be found: their records cannot be read

A study is known when it lies beside the store, when a sweep into it noted it there (rft.infra.reservations), or when it is
given.
Pins lie in the store's `pins.json`:
    {"5f0c4a1e77...": "multirun_outputs/quickstart"}           # key -> what was pinned
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.archive.files import json_at, present, record_paths
from rft.archive.seals import is_record_edited
from rft.infra.entry import EntryInfo
from rft.infra.reservations import NotedStudy, gate, noted_studies, reservations
from rft.infra.stage_store import StageStore
from rft.records import RECORD_FILE, STUDY_FILE, read_json
from rft.sweeps import entries_of

PINS_FILE = "pins.json"


@dataclass(frozen=True)
class Held:
    """One finished stage of the store, with what is known of its use."""

    info: EntryInfo
    model: str  # whose weights it holds or runs; empty where it concerns none, or nothing says
    studies: tuple[str, ...]  # of those looked at, whose records rest on it
    pinned: bool
    reserved: bool  # by a sweep that lives

    @property
    def has_weights(self) -> bool:
        """Whether a model's weights are among its files."""
        return any(name.endswith(".safetensors") for name in self.info.files)


@dataclass(frozen=True)
class KnownStudies:
    """Studies whose records may rest on a store."""

    there: tuple[Path, ...]
    missing: tuple[NotedStudy, ...]


def known_studies(store: StageStore, *, also: Iterable[Path] = ()) -> KnownStudies:
    """Those given, those beside the store, and those noted in it."""
    beside = [path.parent for path in store.root.parent.glob(f"*/{STUDY_FILE}")] if isinstance(store.root, Path) else []
    noted = [(one, _is_study(Path(one.folder))) for one in noted_studies(store)]
    there = [Path(one.folder) for one, is_there in noted if is_there]
    unique = {folder.resolve(): folder for folder in (*also, *sorted(beside), *there)}
    return KnownStudies(tuple(unique.values()), tuple(one for one, is_there in noted if not is_there))


def held_stages(store: StageStore, studies: Iterable[Path]) -> list[Held]:
    """Every finished stage. Raises ValueError for a folder that is no study."""
    needed = {
        key for one in reservations(store) if one.holds for key in one.keys
    }  # before the records: a sweep that ends
    used = [(folder.name, study_keys(folder)) for folder in studies]  # meanwhile is seen in one or in the other
    pins = read_pins(store)
    entries = list(store.entries())
    models = _models(entries)
    return [
        Held(
            info,
            models.get(info.key, ""),
            tuple(name for name, keys in used if info.key in keys),
            info.key in pins,
            info.key in needed,
        )
        for info in entries
    ]


def study_keys(folder: Path) -> set[str]:
    """Keys of all stages that the folder's records rest on. Raises ValueError when it holds neither manifest nor record."""
    records = record_paths(folder)
    if not records and not _is_study(folder):
        raise ValueError(f"{folder} is no study folder: it has neither {STUDY_FILE} nor a {RECORD_FILE}")
    return {key for path in records for key in _keys_in(json_at(path), path)}


def _keys_in(row: Any, path: Path) -> set[str]:
    try:
        return {str(stage["key"]) for part in (row, *row.get("sets", [])) for stage in part["stages"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} does not say which stages it rests on ({type(error).__name__}: {error})") from None


def edited_records(folder: Path) -> list[Path]:
    """Records of a study that are not as they were written: which stages they rest on nobody knows."""
    return [path for path in record_paths(folder) if path.is_file() and is_record_edited(path.parent)]


def unfinished(folder: Path) -> int:
    """Cells of the study's manifest without a record."""
    path = folder / STUDY_FILE
    cells = entries_of(read_json(path), path=path) if path.is_file() else []
    return sum(not present(folder / cell["folder"] / RECORD_FILE) for cell in cells)


def read_pins(store: StageStore) -> dict[str, str]:
    """What was pinned, by stage key."""
    content = store.objects.read(PINS_FILE)
    return {} if content is None else dict(json.loads(content))


def change_pins(
    store: StageStore, change: Callable[[dict[str, str]], dict[str, str]], *, tell: Callable[[str], None]
) -> dict[str, str]:
    """Update the pins, one process at a time; returns them."""
    with gate(store, tell=tell):
        pins = change(read_pins(store))
        store.objects.put(PINS_FILE, (json.dumps(pins, indent=1, ensure_ascii=False) + "\n").encode())
    return pins


def _is_study(folder: Path) -> bool:
    return (folder / STUDY_FILE).is_file() or bool(record_paths(folder))


def _models(entries: Sequence[EntryInfo]) -> dict[str, str]:
    """Model name by key: from the stages that run a model to its weights, and from those to their base."""
    identities: Mapping[str, Mapping[str, object]] = {info.key: info.identity for info in entries}
    names: dict[str, str] = {}
    for key, one in identities.items():
        generation = one.get("generation")
        if isinstance(generation, dict):
            names[key] = str(generation["model"])
    for field in ("weights", "base"):
        for key, one in identities.items():
            if key in names and field in one:
                names.setdefault(str(one[field]), names[key])
    return names
