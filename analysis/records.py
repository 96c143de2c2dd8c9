"""Load study folders into one typed table of cells, with the cells that are missing and why.

A study folder holds a manifest (`study.json`); folders that the manifest does not name are not read. A folder that
directly holds a `record.json` is a table of one cell. A failed or absent cell is listed as missing, never as a number.

    table = load_studies([Path("multirun_outputs/quickstart")])
    table.cells[0].accuracy      # Score(value=0.41, n=1319, se=0.0135); fractions here, percent in tables and figures
    table.missing[0].reason      # 'finetune: loss became NaN at step 40'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rft.records import FAILURE_FILE, MANIFEST_FILE, RECORD_FILE, SCHEMA_VERSION, Record, Score, StageCost, read_json

Base = tuple[str, float | None, int | None]  # (model, pretraining tokens, pretraining seed)
BASE_STAGES = ("pretrain", "import")  # stages that make or fetch the base model
NO_DEDUP = "no_dedup"  # the selection policy that keeps every correct sample
THINNED = ", thinned"  # what a thinned union's policy ends in
ACCURACY = "maj1@1"  # the paper's metric: greedy, one answer


@dataclass(frozen=True)
class Cell:
    """One finished cell, flat: swept values, its model, its data, its scores. None: unknown, or without meaning."""

    study: str
    cell_id: str
    model: str
    data: str  # name of the data set
    method: str  # rft.config.Method value: icl, sft, sft_matched, rft, ...
    data_frac: float | None
    k: int | None  # draws per question and donor
    scores: Mapping[str, Score]  # 'maj1@1', 'maj1@16', 'pass@16', ...: fractions
    union: tuple[str, ...] = ()  # donors; empty: the model's own pool
    temperature: float | None = None
    seed: int | None = None
    data_seed: int | None = None
    train_seed: int | None = None
    sample_seed: int | None = None
    pretrain_seed: int | None = None
    pretrain_tokens: float | None = None
    sample_from: str | None = None
    epochs: float | None = None
    epoch_rule: str | None = None
    policy: str | None = None  # selection policy, see rft.text.selection
    human_style: float | None = None
    examples_frac: float | None = None  # share of its training examples, human and added alike, that it trained on
    lora_rank: int | None = None  # None: fine-tuned in full
    family: str | None = None
    num_params: float | None = None
    post_trained: bool = False
    loss_nats: float | None = None  # pretraining loss, nats per token, on `loss_text`
    loss_se: float | None = None
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
    provenance: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    source: str | None = None  # published cells: where the number stands; None: measured here

    @property
    def accuracy(self) -> Score | None:
        """Greedy accuracy, None when the cell has none."""
        return self.scores.get(ACCURACY)

    @property
    def base(self) -> Base:
        """The pretrained model (name, pretraining tokens, seed): the unit of claims about pretraining loss."""
        return (self.model, self.pretrain_tokens, self.pretrain_seed)

    @property
    def replicate(self) -> tuple[int | None, int | None]:
        """(data seed, training seed): cells of two methods pair when these agree. The unit of claims about a method."""
        return (
            self.seed if self.data_seed is None else self.data_seed,
            self.seed if self.train_seed is None else self.train_seed,
        )

    @property
    def setting(self) -> tuple[Any, ...]:
        """Everything swept but the replicate's seeds: cells with the same setting are replicates of one another."""
        return (
            self.study_kind, self.data, self.eval_subset, self.base, self.method, self.data_frac, self.k, self.union,
            self.temperature, self.sample_from, self.epochs, self.epoch_rule, self.policy, self.human_style,
            self.examples_frac, self.lora_rank,
        )  # fmt: skip

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
        return (self.policy or "").endswith(THINNED)

    @property
    def study_kind(self) -> str:
        """'published' or 'measured': the two are never replicates of each other."""
        return "measured" if self.source is None else "published"

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of all its stages, shared ones included."""
        return sum(stage.seconds for stage in self.cost)

    @property
    def flops(self) -> float:
        """Floating-point operations of all its stages, shared ones included."""
        return sum(stage.flops for stage in self.cost)


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

    def select(self, **wanted: Any) -> Table:
        """The cells whose attributes equal `wanted`; the missing list is kept."""
        kept = tuple(c for c in self.cells if all(getattr(c, name) == value for name, value in wanted.items()))
        return Table(kept, self.missing)


def load_studies(folders: Sequence[Path]) -> Table:
    """Load study folders (or folders that directly hold a record). Raises ValueError when a folder is neither.

    A study given twice, or two folders with the same cell of the same study, is refused: a cell would count twice.
    """
    cells: list[Cell] = []
    missing: list[Missing] = []
    for folder in folders:
        part = _load_folder(Path(folder))
        cells += part.cells
        missing += part.missing
    seen: dict[Path | None, str] = {}
    for cell in cells:
        place = cell.folder.resolve() if cell.folder else None
        if place in seen:
            raise ValueError(f"{place} was given twice (cell {cell.cell_id}); name each study folder once")
        seen[place] = cell.cell_id
    return Table(tuple(cells), tuple(missing))


def _load_folder(folder: Path) -> Table:
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder; give a study folder, e.g. multirun_outputs/quickstart")
    if (folder / MANIFEST_FILE).is_file():
        return _load_manifest(folder)
    if (folder / RECORD_FILE).is_file():
        return Table((load_cell(folder),))
    raise ValueError(
        f"{folder} holds neither {MANIFEST_FILE} (a study) nor {RECORD_FILE} (a cell); "
        "give a folder that a finished `python -m rft.run` has written"
    )


def _load_manifest(folder: Path) -> Table:
    manifest = read_json(folder / MANIFEST_FILE)
    version = manifest.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ValueError(f"{folder / MANIFEST_FILE} has schema version {version!r}, this code reads {SCHEMA_VERSION}")
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


_FROM_CELL = (
    "data_frac", "k", "temperature", "seed", "data_seed", "train_seed", "sample_seed", "pretrain_seed",
    "pretrain_tokens", "sample_from", "epochs", "epoch_rule", "policy", "human_style", "examples_frac",
    "lora_rank",
)  # fmt: skip
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
    """The flat form of a record. Pretraining tokens of the model stand in where the cell swept none."""
    swept = {name: record.cell.get(name) for name in _FROM_CELL}
    if swept["pretrain_tokens"] is None:
        swept["pretrain_tokens"] = record.model.get("pretrain_tokens")
    return Cell(
        study=record.study,
        cell_id=record.cell_id,
        model=record.cell["model"],
        data=record.cell["data"],
        method=record.cell["method"],
        union=tuple(record.cell.get("union") or ()),
        family=record.model.get("family"),
        num_params=record.model.get("num_params_non_embedding") or record.model.get("num_params"),
        post_trained=bool(record.model.get("post_trained")),
        loss_nats=record.model.get("pretrain_loss_nats"),
        loss_se=record.model.get("pretrain_loss_se"),
        determined_loss_nats=record.model.get("determined_loss_nats"),
        loss_text=record.model.get("loss_text"),
        scores=record.scores,
        rates=record.rates,
        histograms={name: tuple(counts) for name, counts in (record.data.get("histograms") or {}).items()},
        cost=tuple(record.cost),
        provenance=record.provenance,
        files=record.files,
        folder=folder,
        **swept,
        **{name: record.data.get(name) for name in _FROM_DATA},
    )


def group_replicates(cells: Iterable[Cell]) -> dict[tuple[Any, ...], list[Cell]]:
    """Cells by setting, each list the replicates of one setting in order of their seeds."""
    groups: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.setting, []).append(cell)
    for group in groups.values():
        group.sort(key=lambda cell: tuple(-1 if seed is None else seed for seed in cell.replicate))
    return groups


def base_names(cells: Iterable[Cell]) -> dict[Base, str]:
    """A short name for every base, by parameters, then tokens: the model's name, with what sets namesakes apart."""
    bases: dict[Base, Cell] = {}
    for cell in cells:
        bases.setdefault(cell.base, cell)
    order = sorted(bases, key=lambda b: (bases[b].num_params or 0, b[0], b[1] or 0, b[2] or 0))
    names = {}
    for base in order:
        same = [b for b in order if b[0] == base[0]]
        name = str(base[0])
        if len({b[1] for b in same}) > 1 and base[1]:
            name += f" {short_number(base[1])} tok"
        if len({b[2] for b in same if b[1] == base[1]}) > 1:
            name += f" p{base[2]}"
        names[base] = name
    return names


def short_number(value: float) -> str:
    """1,319 -> '1.3K', 4000000 -> '4M'."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
