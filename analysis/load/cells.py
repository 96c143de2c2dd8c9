"""Load study folders into one typed table of cells, with the cells that are missing and why.

A study folder holds a manifest (`study.json`); folders that the manifest does not name are not read. A folder that
directly holds a `record.json` is a table of one cell. A failed or absent cell is listed as missing, never as a number.

    table = load_studies([Path("multirun_outputs/quickstart")])
    table.cells[0].accuracy      # Score(value=0.41, n=1319, se=0.0135); fractions here, percent in tables and figures
    table.missing[0].reason      # 'finetune: loss became NaN at step 40'

A SETTING is all of the configuration that can change a cell's results, but its seeds; a REPLICATE is the seeds. Both stand in
the record as planning found them, and everything that groups, matches or names cells goes by them: `same_setting`,
`matches`, `varying_keys`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rft.records import FAILURE_FILE, RECORD_FILE, STUDY_FILE, Record, Score, StageCost, read_json

Base = str  # one base model: the key of its configuration and draw (pretraining seed), and the digest of its weights
BASE_STAGES = ("pretrain", "import")  # stages that make or fetch the base model
NO_DEDUP = "no_dedup"  # the selection policy that keeps every correct sample
ACCURACY = "maj1@1"  # the paper's metric: greedy, one answer
HUMAN_STYLE = "data.world.human_style"  # the embedded world's: how alike human solutions are
DRAW_SEED = "pretrain_seed"  # the base's own: replicates of one base never differ in it


@dataclass(frozen=True)
class Cell:
    """One finished cell: its setting and seeds, its model, its data, its scores. None: unknown, or without meaning."""

    study: str
    cell_id: str
    names: Mapping[str, str]  # 'model', 'data': what people call them
    setting: Mapping[str, Any]  # the configuration by dotted path; what means nothing for the cell is absent
    base: Base
    scores: Mapping[str, Score]  # 'maj1@1' (greedy), 'maj1@16', 'pass@16', ...: fractions
    seeds: Mapping[str, int] = field(default_factory=dict)
    family: str | None = None
    num_params: float | None = None
    post_trained: bool = False
    pretrain_tokens: float | None = None
    loss: float | None = None  # pretraining loss, in `loss_unit`, on `loss_text`
    loss_unit: str = "nats/token"  # one unit for all cells of a text, see `with_one_unit`
    loss_se: float | None = None  # in the same unit
    bits_per_byte: float | None = None
    tokenizer: str | None = None  # digest; losses in nats per token compare within one tokenizer alone
    determined_loss_nats: float | None = None  # the same on determined tokens alone (embedded world)
    loss_text: str | None = None  # losses on different texts never share an axis
    num_human: float | None = None  # human examples trained on
    num_augmented: float | None = None  # kept paths (or, for the controls, what stands in their place)
    num_examples: float | None = None
    num_questions_sampled: float | None = None
    correct_per_question: float | None = None
    distinct_per_question: float | None = None  # without the human path
    distinct_per_question_with_human: float | None = None
    lucky_frac: float | None = None  # share of kept paths with a right answer by invalid reasoning
    histograms: Mapping[str, tuple[int, ...]] = field(
        default_factory=dict
    )  # 'correct', 'distinct': questions with 0, 1, ...
    num_optimizer_steps: float | None = None
    eval_subset: str | None = None
    perturbed: Mapping[str, Any] | None = None  # numbers-changed copy of the test set: counts, copy minus original
    rates: Mapping[str, Score] = field(default_factory=dict)
    cost: tuple[StageCost, ...] = ()
    stages: tuple[Mapping[str, Any], ...] = ()  # name, key, place of its origin in the provenance
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    source: str | None = None  # published cells: where the number stands; None: measured here

    @property
    def accuracy(self) -> Score | None:
        """Greedy accuracy, None when the cell has none."""
        return self.scores.get(ACCURACY)

    @cached_property
    def setting_key(self) -> str:
        """The setting as text: equal for replicates of one another and for nothing else."""
        return json.dumps([self.study_kind, self.setting], sort_keys=True)

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.names["model"]

    @property
    def data(self) -> str:
        """Name of the data set."""
        return self.names["data"]

    @property
    def method(self) -> str:
        """rft.config.Method value: icl, sft, sft_matched, rft, ..."""
        return str(self.setting["method"])

    @property
    def data_frac(self) -> float | None:
        """Share of the human set."""
        return self.setting.get("data_frac")

    @property
    def k(self) -> int | None:
        """Draws per question and donor."""
        return self.setting.get("k")

    @property
    def union(self) -> tuple[str, ...]:
        """Donors; empty: the model's own pool."""
        return tuple(self.setting.get("union") or ())

    @property
    def epochs(self) -> float | None:
        """Passes over the examples."""
        return self.setting.get("train.epochs")

    @property
    def epoch_rule(self) -> str | None:
        """fixed or per_fraction; on all the data the two are one."""
        return self.setting.get("train.epoch_rule", None if self.epochs is None else "fixed")

    @property
    def policy(self) -> str | None:
        """Selection policy, see rft.text.selection."""
        return self.setting.get("select.policy")

    @property
    def human_style(self) -> float | None:
        """Of the embedded world's human solutions."""
        return self.setting.get(HUMAN_STYLE)

    @property
    def examples_frac(self) -> float | None:
        """Share of its training examples, human and added alike, that it trained on."""
        return self.setting.get("train.examples_frac")

    @property
    def on_all_examples(self) -> bool:
        """False for cells that leave some of their training examples out: figures and claims about data do without them."""
        return self.examples_frac in (None, 1.0)

    @property
    def plainly_selected(self) -> bool:
        """False for the controls of a selection: without de-duplication, or thinned to another pool's number of paths."""
        return self.policy != NO_DEDUP and not self.thinned

    @property
    def thinned(self) -> bool:
        """Whether a union gave paths up for an equal number."""
        return bool(self.union) and self.setting.get("select.thin") == "own"

    @property
    def study_kind(self) -> str:
        """'published' or 'measured': the two are never replicates of each other."""
        return "measured" if self.source is None else "published"

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of all its stages, shared ones included."""
        return sum(stage.used * stage.seconds for stage in self.cost)

    @property
    def flops(self) -> float:
        """Floating-point operations of all its stages, shared ones included."""
        return sum(stage.used * stage.flops for stage in self.cost)


def matches(one: Cell, other: Cell, *, but: Collection[str]) -> bool:
    """Whether two cells of one base are the same in everything but some keys of the configuration.

    A key that one of them lacks means nothing for it, and agrees with any value of the other: the `k` of an RFT cell says
    nothing against the SFT cell that is its control.
    """
    if one.base != other.base or one.study_kind != other.study_kind:
        return False
    left_out = set(but)
    return all(
        other.setting[key] == value
        for key, value in one.setting.items()
        if key in other.setting and key not in left_out
    )


def varying_keys(cells: Iterable[Cell]) -> dict[str, list[Any]]:
    """Keys of the configuration that take two values or more among the cells that have them, with the values in order."""
    found: dict[str, dict[str, Any]] = {}
    for cell in cells:
        for key, value in cell.setting.items():
            found.setdefault(key, {}).setdefault(json.dumps(value), value)
    return {key: list(values.values()) for key, values in found.items() if len(values) > 1}


@dataclass(frozen=True)
class Missing:
    """A cell of a manifest that has no usable record."""

    study: str
    cell_id: str
    reason: str


@dataclass(frozen=True)
class Table:
    """What was loaded: finished cells, and the missing ones with their reasons."""

    cells: tuple[Cell, ...]
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()  # what was found on loading

    def select(self, **wanted: Any) -> Table:
        """The cells whose attributes equal `wanted`; the missing list is kept."""
        kept = tuple(c for c in self.cells if all(getattr(c, name) == value for name, value in wanted.items()))
        return Table(kept, self.missing, self.notes)


def load_studies(folders: Sequence[Path]) -> Table:
    """Load study folders (or folders that directly hold a record). Raises ValueError when a folder is neither.

    Cells come in an order of their own: neither a manifest's order nor that of the folders changes what is made of them.

    One (setting, replicate) is one cell, wherever it lies: where it is found again with the same results it counts once and
    the table's notes say so; other results under one identity are refused with both places.
    """
    cells: list[Cell] = []
    missing: list[Missing] = []
    for folder in folders:
        part = _load_folder(Path(folder))
        cells += part.cells
        missing += part.missing
    kept, repeats = _once(sorted(cells, key=_cell_order))
    notes = []
    if repeats:
        places = ", ".join(sorted({str(cell.folder.parent) for cell in repeats if cell.folder}))
        notes.append(f"{len(repeats)} cells were found again with the same results and count once (in {places}).")
    notes += _unlike_bases(kept)
    here = {cell.cell_id for cell in kept}
    gaps = {(gap.study, gap.cell_id, gap.reason): gap for gap in missing if gap.cell_id not in here}
    return Table(with_one_unit(kept), tuple(gaps[key] for key in sorted(gaps)), tuple(notes))


def _unlike_bases(cells: Sequence[Cell]) -> list[str]:
    """A note for every base that was made twice with other weights: under one key, on unlike machines or by unlike code."""
    made: dict[str, dict[Base, Cell]] = {}
    for cell in cells:
        made.setdefault(cell.base.partition(" ")[0], {}).setdefault(cell.base, cell)
    notes = []
    for twins in made.values():
        if len(twins) > 1:
            places = "; ".join(f"{_place(cell)} ({machine_of(cell)})" for cell in twins.values())
            name = next(iter(twins.values())).model
            notes.append(
                f"{len(twins)} bases of {name} have one key and other weights: {places}. They are kept apart; processors "
                "differ in last bits, which pretraining amplifies (numerics=portable makes them equal)."
            )
    return notes


def _place(cell: Cell) -> str:
    return str(cell.folder.parent) if cell.folder else cell.study


def machine_of(cell: Cell) -> str:
    """On what a cell's base was made."""
    origins = cell.provenance.get("origins") or [{}]
    place = next((row["origin"] for row in cell.stages if row["name"] in BASE_STAGES), 0)
    found = origins[place] if place < len(origins) else {}
    return ", ".join(str(found[name]) for name in ("cpu", "cpu_capability", "commit") if found.get(name)) or "unknown"


def _cell_order(cell: Cell) -> tuple[Any, ...]:
    """By base, then by what labels tell, then by everything else; of one cell found twice the folder decides."""
    amounts = (cell.data_frac or 0, len(cell.union), cell.k or 0)
    rest = (cell.setting_key, sorted(cell.seeds.items()), cell.study, str(cell.folder))
    return (*_base_order(cell), cell.base, cell.method, *amounts, *rest)


# Of a cell's fields those that a second computation of the same results may have otherwise
OF_ONE_RUN = ("study", "cell_id", "names", "base", "cost", "stages", "provenance", "files", "folder")


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


def _load_folder(folder: Path) -> Table:
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give a study folder, e.g. multirun_outputs/quickstart")
    if (folder / STUDY_FILE).is_file():
        return _load_manifest(folder)
    if (folder / RECORD_FILE).is_file():
        return Table((load_cell(folder),))
    raise ValueError(
        f"{folder} holds neither {STUDY_FILE} (a study) nor {RECORD_FILE} (a cell); "
        "give a folder that a finished `python -m rft.run` has written"
    )


def _load_manifest(folder: Path) -> Table:
    manifest = read_json(folder / STUDY_FILE)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("cells"), list):
        raise ValueError(f"{folder / STUDY_FILE} is no manifest of a study: it lists no cells")
    cells: list[Cell] = []
    missing: list[Missing] = []
    for entry in manifest["cells"]:
        place = folder / entry["folder"]
        result = _cell_or_reason(place, cell_id=entry["cell_id"])
        if isinstance(result, Cell):
            cells.append(result)
        else:
            missing.append(Missing(manifest["study"], entry["cell_id"], result))
    return Table(tuple(cells), tuple(missing))


def _cell_or_reason(place: Path, *, cell_id: str) -> Cell | str:
    """The cell, or why there is none. A record of another cell (left over from an edited sweep) does not count."""
    if not (place / RECORD_FILE).is_file():
        if not (place / FAILURE_FILE).is_file():
            return "not run yet, or still running"
        failure = read_json(place / FAILURE_FILE)
        stage = failure.get("stage")
        return f"{stage}: {failure['reason']}" if stage else str(failure["reason"])
    try:
        cell = load_cell(place)
    except ValueError as error:
        return f"unreadable record: {error}"
    if cell.cell_id != cell_id:
        return f"its folder holds another cell ({cell.cell_id}); run the study again"
    return cell


_FROM_DATA = (
    "num_human", "num_augmented", "num_examples", "num_questions_sampled", "correct_per_question",
    "distinct_per_question", "distinct_per_question_with_human", "lucky_frac", "num_optimizer_steps", "eval_subset",
    "perturbed",
)  # fmt: skip


def load_cell(folder: Path) -> Cell:
    """The cell of one folder. Raises ValueError when record.json is not a record of this schema version."""
    try:
        record = Record.from_json(read_json(folder / RECORD_FILE))
        return cell_of(record, folder=folder)
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{folder / RECORD_FILE} is not a record: {error!r}") from error


def cell_of(record: Record, *, folder: Path | None) -> Cell:
    """The flat form of a record."""
    model = record.model
    return Cell(
        study=record.study,
        cell_id=record.cell_id,
        names=record.names,
        setting=record.setting,
        seeds=record.seeds,
        base=f"{model['base_key']} {model.get('base_weights') or ''}".strip(),
        family=model.get("family"),
        num_params=model.get("num_params_non_embedding") or model.get("num_params"),
        post_trained=bool(model.get("post_trained")),
        pretrain_tokens=model.get("pretrain_tokens"),
        loss=model.get("pretrain_loss_nats"),
        loss_se=model.get("pretrain_loss_se"),
        bits_per_byte=model.get("bits_per_byte"),
        tokenizer=model.get("tokenizer"),
        determined_loss_nats=model.get("determined_loss_nats"),
        loss_text=model.get("loss_text"),
        scores=record.scores,
        rates=record.rates,
        histograms={name: tuple(counts) for name, counts in (record.data.get("histograms") or {}).items()},
        cost=tuple(record.cost),
        stages=tuple(record.stages),
        provenance=record.provenance,
        files=record.files,
        folder=folder,
        **_from_data(record),
    )


def _from_data(record: Record) -> dict[str, Any]:
    return {name: record.data.get(name) for name in _FROM_DATA}


def with_one_unit(cells: Sequence[Cell]) -> tuple[Cell, ...]:
    """The cells with their pretraining losses in one unit for each text.

    Nats per token where all bases share a tokenizer, else bits per byte, which alone compare across tokenizers. A loss that
    is not known in that unit is left out.
    """
    tokenizers: dict[str | None, set[str | None]] = {}
    for cell in cells:
        if cell.loss is not None and cell.source is None:
            tokenizers.setdefault(cell.loss_text, set()).add(cell.tokenizer)
    mixed = {text for text, found in tokenizers.items() if len(found) > 1}
    return tuple(_in_bits(cell) if cell.source is None and cell.loss_text in mixed else cell for cell in cells)


def unit_name(cell: Cell) -> str:
    """What a slope on its loss is per: 'nat' or 'bit per byte'."""
    return "nat" if cell.loss_unit == "nats/token" else "bit per byte"


def _in_bits(cell: Cell) -> Cell:
    bits, nats = cell.bits_per_byte, cell.loss
    se = cell.loss_se * bits / nats if bits is not None and nats and cell.loss_se is not None else None
    return replace(cell, loss=bits, loss_se=se, loss_unit="bits/byte")


def group_replicates(cells: Iterable[Cell]) -> dict[tuple[str, Base], list[Cell]]:
    """Cells by setting and base draw, each list the replicates of one setting in order of their seeds.

    Draws of one base configuration stay apart: their scatter is not that of replicates.
    """
    groups: dict[tuple[str, Base], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.setting_key, cell.base), []).append(cell)
    for group in groups.values():
        group.sort(key=lambda cell: sorted(cell.seeds.items()))
    return groups


def base_names(cells: Iterable[Cell]) -> dict[Base, str]:
    """A short name for every base, by parameters, then tokens: the model's name, with what sets namesakes apart."""
    bases: dict[Base, Cell] = {}
    for cell in cells:
        bases.setdefault(cell.base, cell)
    order = sorted(bases, key=lambda b: _base_order(bases[b]))
    names = {}
    for base in order:
        namesakes = [bases[b] for b in order if bases[b].model == bases[base].model]
        names[base] = " ".join([bases[base].model, *_apart(bases[base], namesakes)])
    for name in {name for name in names.values() if list(names.values()).count(name) > 1}:
        for number, base in enumerate((b for b in order if names[b] == name), start=1):
            names[base] = f"{name} #{number}"
    return names


def _base_order(cell: Cell) -> tuple[Any, ...]:
    draw = cell.seeds.get(DRAW_SEED, 0)
    return (cell.num_params or 0, cell.model, cell.pretrain_tokens or 0, draw, cell.data)


TOKENS = "model.pretrain.tokens"
DATA_PARTS = ("data.train_content", "data.test_content")  # digests: the data set's name says it better


def _apart(cell: Cell, namesakes: Sequence[Cell]) -> list[str]:
    """What of the model sets a base apart from others of its name: tokens, any other key, data set, draw."""
    words = []
    if len({c.pretrain_tokens for c in namesakes}) > 1 and cell.pretrain_tokens:
        words.append(f"{short_number(cell.pretrain_tokens)} tok")
    keys = [
        key for key in varying_keys(namesakes) if key.startswith("model.") and key != TOKENS and key in cell.setting
    ]
    words += [f"{key.removeprefix('model.')}={value_text(cell.setting[key])}" for key in keys]
    if len({c.data for c in namesakes}) > 1:
        words.append(f"on {cell.data}")
    same = [c for c in namesakes if (c.pretrain_tokens, c.data) == (cell.pretrain_tokens, cell.data)]
    if len({c.seeds.get(DRAW_SEED) for c in same}) > 1:
        words.append(f"p{cell.seeds.get(DRAW_SEED)}")
    return words


def value_text(value: Any) -> str:
    """A value of the configuration, short: numbers as typed, digests by their first digits; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "+".join(value_text(item) for item in value)
    text = str(value)
    return text[:8] if len(text) == 32 else text


def short_number(value: float) -> str:
    """1,319 -> '1.3K', 4000000 -> '4M'."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
