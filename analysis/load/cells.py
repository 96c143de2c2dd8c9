"""One finished cell: its setting and seeds, its model, its data, its scores; and tables of cells.

    cell.accuracy      # Score(value=0.41, n=1319, se=0.0135); fractions here, percent in tables and figures
    cell.setting       # {"method": "rft", "k": 16, "train.lr": 0.003, ...}, by dotted path

A SETTING is all of the configuration that can change a cell's results, but its seeds. The seeds of the base (pretraining,
corpus) are a DRAW of its configuration, the others a REPLICATE, which lies within its draw. All stand in the record as
planning found them, and all that groups, matches or names cells goes by them: `setting_key`, `matches`, `varying_keys`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from rft.records import OUTCOMES_FILE, Score, StageCost

Base = str  # a base configuration: all of the base model's setting but its seeds; what claims are about
Draw = str  # one drawn base: the key of its configuration and seeds, and the digest of its weights
BASE_STAGES = ("pretrain", "import")  # stages that make or fetch the base model
NO_DEDUP = "no_dedup"  # the selection policy that keeps every correct sample
ACCURACY = "maj1@1"  # the paper's metric: greedy, one answer
MATCHED = "sft_matched"  # the method of step-matched controls: SFT at the optimiser steps of another method
AT_STEPS = frozenset({MATCHED, "oracle_paths", "fresh_human"})  # controls at the optimiser steps of another method
BEST = "sft_best"  # SFT at the number of epochs that did best on validation problems
EPOCH_GRID = "methods.sft_best.epoch_grid"  # the numbers that it is chosen from
MATCHED_TO = "methods.sft_matched.to"  # of the step-matched control: the method that it is the control of
HUMAN_STYLE = "data.world.human_style"  # the embedded world's: how alike human solutions are
BASE_SEED = "pretrain_seed"  # the one that names a draw where the corpus has none of its own
DRAW_SEEDS = frozenset({BASE_SEED, "corpus_seed"})  # the base's own: they tell draws, never replicates, apart
TEST_SET = (
    "test_set"  # of a setting: the further test set that is scored; None: the cell's own. What is below it says of it
)
OF_VOTES = "eval.vote_"  # keys of the votes, which are cast beside the greedy answers and change none of them
OF_DATA = "data."  # keys of a data set, its own test set among it


@dataclass(frozen=True)
class Cell:
    """One finished cell: its setting and seeds, its model, its data, its scores. None: unknown, or without meaning."""

    study: str
    cell_id: str
    names: Mapping[str, str]  # 'model', 'data': what people call them
    setting: Mapping[str, Any]  # the configuration by dotted path; what means nothing for the cell is absent
    votes: Mapping[str, Any] = field(default_factory=dict, kw_only=True)  # of a point's cells: how they voted
    base: Base
    draw: Draw
    scores: Mapping[str, Score]  # 'maj1@1' (greedy), 'maj1@16', 'pass@16', ...: fractions
    seeds: Mapping[str, int] = field(default_factory=dict)
    family: str | None = None
    num_params: float | None = None  # without embeddings; of published cells as their model is named
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
    num_human_problems: float | None = None  # problems behind them, and the next: where one may have several solutions
    human_paths_per_question: float | None = None  # distinct equation lists of a sampled question's human solutions
    num_augmented: float | None = None  # kept paths (or, for the controls, what stands in their place)
    num_examples: float | None = None
    num_questions_sampled: float | None = None
    drawn_per_question: float | None = None  # of all rounds and donors together
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
    beside: bool = False  # published, and drawn beside another study: `origin` is part of its names

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
        return f"{self.names['model']}{self.origin}"

    @property
    def origin(self) -> str:
        """What its names and labels end with, so that it shares no series with the study that it is drawn beside."""
        return " (published)" if self.beside else ""

    @property
    def data(self) -> str:
        """Name of the data set."""
        return self.names["data"]

    @property
    def test_set(self) -> str:
        """Name of the test set that its scores are of: the cell's own data set, or a further one."""
        return str(self.setting.get(TEST_SET) or self.data)

    def of_test_set(self, key: str) -> Any:
        """What the setting says of the test set that its scores are of ('kind', 'rule'); None: nothing."""
        prefix = OF_DATA if self.setting.get(TEST_SET) is None else f"{TEST_SET}."
        return self.setting.get(f"{prefix}{key}")

    @cached_property
    def outcomes_path(self) -> Path | None:
        """Its outcomes on this test set; None for published cells."""
        return None if self.folder is None else self.folder / self.files.get("outcomes", OUTCOMES_FILE)

    @property
    def method(self) -> str:
        """As `method` of the configuration names it: icl, sft, sft_matched, rft, ..."""
        return str(self.setting["method"])

    @property
    def title(self) -> str:
        """What its record calls the method: 'RFT', 'expert iteration'."""
        return self.names.get("method", self.method)

    @property
    def matched_to(self) -> str | None:
        """Of a step-matched control, the method whose steps it takes."""
        return self.setting.get(MATCHED_TO)

    @property
    def lineage(self) -> tuple[str, bool]:
        """(method, False), and of the control of a method other than RFT (that method, True): the two stand together."""
        own = self.matched_to in (None, "rft")
        return (self.method, False) if own else (str(self.matched_to), True)

    @property
    def data_frac(self) -> float | None:
        """Share of the human set."""
        return self.setting.get("data_frac")

    @property
    def k(self) -> int | None:
        """Draws per question and donor."""
        return self.setting.get("k")

    @property
    def draws(self) -> float | None:
        """Draws per question that its paths come from: of every round and donor, where a record says so; else k a donor."""
        if self.drawn_per_question is not None:
            return self.drawn_per_question
        return None if self.k is None else float(self.k * max(1, len(self.union)))

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
    """Whether two cells of one base configuration are the same in everything but some keys of the configuration.

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
    test_set: str | None = None  # on this one alone; None: on all


@dataclass(frozen=True)
class Table:
    """What was loaded: finished cells, and the missing ones with their reasons."""

    cells: tuple[Cell, ...]
    missing: tuple[Missing, ...] = ()
    notes: tuple[str, ...] = ()  # what was found on loading


def group_settings(cells: Iterable[Cell]) -> dict[tuple[str, Base], list[Cell]]:
    """Cells by setting and base configuration: all draws of the base and all replicates, in order of their seeds."""
    groups: dict[tuple[str, Base], list[Cell]] = {}
    for cell in cells:
        groups.setdefault((cell.setting_key, cell.base), []).append(cell)
    for group in groups.values():
        group.sort(key=_draw_order)
    return groups


def group_draws(cells: Iterable[Cell]) -> dict[Draw, list[Cell]]:
    """Cells of one setting by drawn base, each list the replicates within one draw."""
    groups: dict[Draw, list[Cell]] = {}
    for cell in sorted(cells, key=_draw_order):
        groups.setdefault(cell.draw, []).append(cell)
    return groups


def without_votes(cell: Cell) -> Cell:
    """The same with the setting that its greedy answers are of; how it voted is in `votes`."""
    votes = {key: value for key, value in cell.setting.items() if key.startswith(OF_VOTES)}
    setting = {key: value for key, value in cell.setting.items() if key not in votes}
    return replace(cell, setting=setting, votes=votes) if votes else cell


def draws_of_bases(cells: Iterable[Cell]) -> dict[Base, set[Draw]]:
    """Which draws of each base configuration some cells have."""
    draws: dict[Base, set[Draw]] = {}
    for cell in cells:
        draws.setdefault(cell.base, set()).add(cell.draw)
    return draws


def _draw_order(cell: Cell) -> tuple[Any, ...]:
    own = sorted((name, seed) for name, seed in cell.seeds.items() if name in DRAW_SEEDS)
    return (own, cell.draw, sorted(cell.seeds.items()))
