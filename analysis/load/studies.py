"""Load study folders into one typed table of cells, with the cells that are missing and why.

A study folder holds a manifest (`study.json`); folders that the manifest does not name are not read. A folder that
directly holds a `record.json` is a table of one cell. A failed or absent cell is listed as missing, never as a number.

    table = load_studies([Path("multirun_outputs/quickstart")])
    table.missing[0].reason      # 'finetune: loss became NaN at step 40'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from analysis.load.cells import (
    BASE_STAGES,
    DRAW_SEEDS,
    TEST_SET,
    Cell,
    Draw,
    Missing,
    Table,
    group_draws,
    group_settings,
)
from analysis.load.code import code_notes
from analysis.load.names import base_order, counted
from analysis.load.pairs import Unit, units_of
from analysis.load.records import key_of, load_cells, weights_known, with_known_weights, with_one_unit
from analysis.stats.sharing import alone_words, one_value
from rft.archive.files import archive_of, json_at, present
from rft.archive.seals import changed_files, edited, sealed
from rft.archive.sound import reason_of
from rft.records import RECORD_FILE, STUDY_FILE
from rft.sweeps import entries_of, study_named, sweep_named


def load_studies(folders: Sequence[Path], *, test_set: str | None = None, sweep: str | None = None) -> Table:
    """Load study folders (or folders that directly hold a record) with their scores on ONE test set.

    That is each cell's own, or the one that is named: the cells that were not scored on it are missing then. `sweep`: only
    the cells of one sweep of the study, by its number, or of the `latest`. Raises ValueError for a folder that is neither, a
    test set that no cell has, and a sweep that the study has not.
    """
    table = load_every_set(folders, sweep=sweep)
    own = [cell for cell in table.cells if cell.setting.get(TEST_SET) is None]
    if test_set is None:
        return replace(table, cells=tuple(own))
    found = [cell for cell in table.cells if cell.test_set == test_set]
    if not found:
        raise ValueError(f"no cell was scored on the test set {test_set!r}; there are {', '.join(test_sets(table))}")
    there = {(cell.study, cell.cell_id) for cell in found}
    unscored = [cell for cell in own if (cell.study, cell.cell_id) not in there]
    gaps = [Missing(cell.study, cell.cell_id, _why_not_scored(cell, test_set)) for cell in unscored]
    return replace(table, cells=tuple(found), missing=(*table.missing, *gaps))


def _why_not_scored(cell: Cell, test_set: str) -> str:
    if cell.folder is not None and (reason := reason_of(cell.folder)) is not None:
        return f"not scored on {test_set}: {reason.text}"
    return f"not scored on {test_set}: run the study again with eval.sets=[{test_set}], which computes nothing else"


def test_sets(table: Table) -> list[str]:
    """Names of the test sets of a table of every set: own ones first, then by name."""
    return list(dict.fromkeys(c.test_set for c in sorted(table.cells, key=lambda c: (_set_order(c), c.test_set))))


def _set_order(cell: Cell) -> bool:
    return cell.setting.get(TEST_SET) is not None


def load_every_set(folders: Sequence[Path], *, sweep: str | None = None) -> Table:
    """The same on every test set: a cell for each. Raises ValueError when a folder is no study.

    Cells come in an order of their own: neither a manifest's order nor that of the folders changes what is made of them.

    One (setting, replicate) is one cell, wherever it lies: where it is found again with the same results it counts once and
    the table's notes say so; other results under one identity are refused with both places.
    """
    cells: list[Cell] = []
    missing: list[Missing] = []
    for folder in folders:
        part = _load_folder(Path(folder), sweep=sweep)
        cells += part.cells
        missing += part.missing
    kept, repeats = _once(sorted(with_known_weights(cells), key=_cell_order))
    notes = []
    if repeats:
        places = ", ".join(sorted({str(cell.folder.parent) for cell in repeats if cell.folder}))
        notes.append(f"{len(repeats)} cells were found again with the same results and count once (in {places}).")
    notes += _unlike_bases(kept)
    notes += _shared_seeds(kept)
    notes += _unsealed(kept)
    notes += code_notes(kept)
    here = {(cell.cell_id, test_set) for cell in kept for test_set in (None, cell.test_set)}
    gaps = {(gap.study, gap.cell_id, gap.reason): gap for gap in missing if (gap.cell_id, gap.test_set) not in here}
    return Table(with_one_unit(_with_control_titles(kept)), tuple(gaps[key] for key in sorted(gaps)), tuple(notes))


def _with_control_titles(cells: Sequence[Cell]) -> list[Cell]:
    """Step-matched controls of methods other than RFT say whose steps they take; their records say only that they do."""
    titles = {cell.method: cell.title for cell in cells}
    named = []
    for cell in cells:
        method, is_control = cell.lineage
        title = f"SFT, steps of {titles.get(method, method.replace('_', ' '))}"
        named.append(replace(cell, names={**cell.names, "method": title}) if is_control else cell)
    return named


def _shared_seeds(cells: Sequence[Cell]) -> list[str]:
    """Notes on seeds that replicates share: within a draw they are collapsed, between draws crossed, or one for all."""
    within: dict[str, tuple[int, int]] = {}  # seed -> (values, cells) of the draw where most cells share one
    between: set[str] = set()
    crossed: dict[str, int] = {}
    for group in group_settings(cells).values():
        draws = list(group_draws(group).values())
        for name in group[0].seeds.keys() - DRAW_SEEDS:
            for draw in draws:
                values = len({cell.seeds[name] for cell in draw})
                most = within.get(name, (1, 1))
                if values < len(draw) and len(draw) / values > most[1] / most[0]:
                    within[name] = (values, len(draw))
        if len(draws) > 1:
            units = [unit.seeds for of_draw in units_of(group) for unit in of_draw]
            between |= set(one_value(units))
            crossed |= {name: len(values) for name, values in _crossed_seeds(units_of(group)).items()}
    return [*_shared_within(within), *_shared_between(between), *_crossed_words(crossed)]


def _crossed_seeds(draws: Sequence[Sequence[Unit]]) -> dict[str, set[int]]:
    """Seeds that draws of a base share and that vary besides, with their values: they are crossed with the draws."""
    by_draw = [{name: set().union(*(unit.seeds[name] for unit in draw)) for name in draw[0].seeds} for draw in draws]
    found: dict[str, set[int]] = {}
    for name in set.intersection(*(set(own) for own in by_draw)):
        values = set().union(*(own[name] for own in by_draw))
        if 1 < len(values) < sum(len(own[name]) for own in by_draw):
            found[name] = values
    return found


def _crossed_words(crossed: dict[str, int]) -> list[str]:
    if not crossed:
        return []
    named = ", ".join(f"{name} ({count} values)" for name, count in sorted(crossed.items()))
    return [
        f"Draws of a base share seeds: {named}. Replicates and draws count as crossed, and an interval rests on that few "
        "values; give each draw seeds of its own for narrower ones."
    ]


def _shared_within(shared: dict[str, tuple[int, int]]) -> list[str]:
    if not shared:
        return []
    named = ", ".join(f"{name} ({values} in {count} cells)" for name, (values, count) in sorted(shared.items()))
    return [
        f"Replicates of one base share seeds: {named}. Cells that share a seed which otherwise varies count as one "
        "replicate, their mean; vary `seed`, which sets all of them, for more."
    ]


def _shared_between(names: set[str]) -> list[str]:
    if not names:
        return []
    return [
        f"All draws of a base share one value of {', '.join(sorted(names))}: what it decides is in no interval, and verdicts "
        f"hold with {alone_words(names)} alone. Give each draw seeds of its own."
    ]


def _unlike_bases(cells: Sequence[Cell]) -> list[str]:
    """A note for every base that was made twice with other weights: under one key, on unlike machines or by unlike code."""
    made: dict[str, dict[Draw, Cell]] = {}
    for cell in cells:
        made.setdefault(key_of(cell), {}).setdefault(cell.draw, cell)
    notes = []
    for twins in made.values():
        told = [cell for cell in twins.values() if weights_known(cell)]
        if len(told) > 1:
            places = "; ".join(f"{_place(cell)} ({machine_of(cell)})" for cell in told)
            notes.append(
                f"{len(told)} bases of {told[0].model} have one key and other weights: {places}. They count as draws of it; "
                "processors differ in last bits, which pretraining amplifies (numerics=portable makes them equal)."
            )
    return [*notes, *_unknown_weights([twins for twins in made.values() if len(twins) > 1])]


def _unknown_weights(made: Sequence[Mapping[Draw, Cell]]) -> list[str]:
    """A note on records that do not say which of several bases of one key is theirs."""
    unsure = [cell for twins in made for cell in twins.values() if not weights_known(cell)]
    if not unsure:
        return []
    names, places = (
        ", ".join(sorted(set(words))) for words in zip(*((c.model, _place(c)) for c in unsure), strict=True)
    )
    return [
        f"Records of {names} in {places} do not name their base's weights (model.base_weights), as others of the same key "
        f"do, nor a pretraining loss that is one of theirs. They count as {counted(len(unsure), 'further draw')}, and pair "
        "with none of those; analyse them alone."
    ]


def _unsealed(cells: Sequence[Cell]) -> list[str]:
    """A note on cells that nothing can be compared with: they are from before digests were kept."""
    folders = {cell.folder for cell in cells if cell.folder is not None}
    without = {folder for folder in folders if not sealed(folder) and archive_of(folder / RECORD_FILE) is None}
    if not without:
        return []
    places = ", ".join(sorted({str(folder.parent) for folder in without}))
    return [f"{len(without)} cells of {places} have no digests.json: whether they were edited since cannot be told."]


def _place(cell: Cell) -> str:
    return str(cell.folder.parent) if cell.folder else cell.study


def machine_of(cell: Cell) -> str:
    """On what a cell's base was made."""
    origins = cell.provenance.get("origins") or [{}]
    place = next((row["origin"] for row in cell.stages if row["name"] in BASE_STAGES), 0)
    found = origins[place] if place < len(origins) else {}
    return (
        ", ".join(str(found[name]) for name in ("gpu", "cpu", "cpu_capability", "commit") if found.get(name))
        or "unknown"
    )


def _cell_order(cell: Cell) -> tuple[Any, ...]:
    """By base, then by what labels tell, then by everything else; of one cell found twice the folder decides."""
    amounts = (cell.data_frac or 0, len(cell.union), cell.k or 0)
    rest = (cell.setting_key, sorted(cell.seeds.items()), cell.study, str(cell.folder))
    return (*base_order(cell), cell.base, cell.draw, cell.method, *amounts, *rest)


# Of a cell's fields those that a second computation of the same results may have otherwise
OF_ONE_RUN = ("study", "cell_id", "names", "draw", "cost", "stages", "provenance", "files", "folder")


def _once(cells: Sequence[Cell]) -> tuple[list[Cell], list[Cell]]:
    """(cells of distinct identity, those seen again). Raises ValueError where two results claim one identity."""
    seen: dict[tuple[Any, ...], Cell] = {}
    repeats = []
    for cell in cells:
        identity = (cell.setting_key, tuple(sorted(cell.seeds.items())))
        first = seen.setdefault(identity, cell)
        if first is cell:
            continue
        different = _difference(first, cell)
        if different:
            raise ValueError(
                f"{first.folder} and {cell.folder} hold the same cell (setting and seeds) with other results: {different}. "
                "They were made by unlike code or on unlike machines; analyse one of them"
            )
        repeats.append(cell)
    return list(seen.values()), repeats


def _difference(one: Cell, other: Cell) -> str:
    """What sets the results of two cells of one identity apart, whichever they are; '' for nothing."""
    for name in sorted({*one.scores, *other.scores}):
        a, b = one.scores.get(name), other.scores.get(name)
        if a != b:
            values = " and ".join("none" if s is None else f"{s.value:.6g} (n = {s.n})" for s in (a, b))
            return f"{name} is {values}"
    if one.bits_per_byte != other.bits_per_byte or one.loss != other.loss:
        return f"the base's pretraining loss is {one.loss} and {other.loss}"
    for name in (part.name for part in fields(Cell) if part.name not in OF_ONE_RUN):
        if getattr(one, name) != getattr(other, name):
            return f"{name} is {getattr(one, name)} and {getattr(other, name)}"
    return ""


def _load_folder(folder: Path, *, sweep: str | None) -> Table:
    if present(folder / RECORD_FILE):
        try:
            found = load_cells(folder)
        except ValueError as error:
            raise ValueError(f"{folder}: unreadable record: {error}") from None
        kept, edited_ones = _as_written(found, folder)
        return Table(tuple(kept), tuple(edited_ones))
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give a study folder, e.g. multirun_outputs/quickstart")
    if (folder / STUDY_FILE).is_file():
        return _load_manifest(folder, sweep=sweep)
    raise ValueError(
        f"{folder} holds neither {STUDY_FILE} (a study) nor {RECORD_FILE} (a cell); "
        "give a folder that a finished `python -m rft.run` has written"
    )


def _load_manifest(folder: Path, *, sweep: str | None) -> Table:
    manifest = json_at(folder / STUDY_FILE)
    entries = entries_of(manifest, path=folder / STUDY_FILE)
    study = study_named(manifest, path=folder / STUDY_FILE)
    cells: list[Cell] = []
    missing: list[Missing] = []
    chosen = None if sweep is None else sweep_named(manifest, sweep, folder=folder).cells
    for entry in entries:
        if chosen is not None and entry["cell_id"] not in chosen:
            continue
        place = folder / entry["folder"]
        result = _cells_or_reason(place, cell_id=entry["cell_id"])
        if isinstance(result, str):
            missing.append(Missing(study, entry["cell_id"], result))
        else:
            kept, edited_ones = _as_written(result, place)
            cells += kept
            missing += edited_ones
    return Table(tuple(cells), tuple(missing))


def _cells_or_reason(place: Path, *, cell_id: str) -> list[Cell] | str:
    """The cell on each of its test sets, or why there is none.

    A record of another cell (left over from an edited sweep) does not count.
    """
    if not present(place / RECORD_FILE):
        reason = reason_of(place)
        if reason is None:
            return "not run yet, or still running"
        return f"{reason.stage}: {reason.text}" if reason.stage else reason.text
    try:
        found = load_cells(place)
    except ValueError as error:
        return f"unreadable record: {error}"
    if found[0].cell_id != cell_id:
        return f"its folder holds another cell ({found[0].cell_id}); run the study again"
    return found


def _as_written(found: list[Cell], place: Path) -> tuple[list[Cell], list[Missing]]:
    """The cell on each test set whose files, the record among them, are as they were written; the others as missing."""
    own = found[0]
    again = "run the study again, which makes it anew"
    try:
        changed = changed_files(place)
    except ValueError as error:
        return [], [Missing(own.study, own.cell_id, f"{place}: {error}; {again}")]
    of_sets = {name for cell in found for name in cell.files.values()}
    of_all = [name for name in changed if name not in of_sets]  # the record, or what the digests name besides
    kept, gone = [], []
    for cell in found:
        names = [*of_all, *(name for name in changed if name in cell.files.values())]
        if names:
            gone.append(Missing(cell.study, cell.cell_id, f"{place}: {edited(names)}; {again}", cell.test_set))
        else:
            kept.append(cell)
    return kept, gone if kept else [replace(gone[0], test_set=None)]
