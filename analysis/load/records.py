"""Records as cells, with pretraining losses in one unit.

load_cells(folder)            # the Cells of a folder with a record.json: one for each test set, the cell's own first
with_known_weights(cells)     # draws of records that do not say which weights their base has, as far as others tell
with_one_unit(cells)          # losses in nats per token, or in bits per byte where tokenizers differ
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.load.cells import MATCHED, MATCHED_TO, OF_DATA, TEST_SET, Cell, Draw
from rft.archive.files import json_at
from rft.records import RECORD_FILE, Record, SetRecord

OF_SCORING = ("evaluate", "vote")  # stages that are of one test set

_FROM_DATA = (
    "num_human", "num_human_problems", "human_paths_per_question", "num_augmented", "num_examples",
    "num_questions_sampled", "drawn_per_question", "correct_per_question", "distinct_per_question",
    "distinct_per_question_with_human", "lucky_frac", "num_optimizer_steps", "eval_subset", "perturbed",
)  # fmt: skip


def load_cells(folder: Path) -> list[Cell]:
    """The cell of one folder on each of its test sets, its own first.

    Raises ValueError when record.json is not a record of this schema version.
    """
    try:
        record = Record.from_json(json_at(folder / RECORD_FILE))
        own = cell_of(record, folder=folder)
        return [own, *(_on_set(own, one) for one in record.sets)]
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{folder / RECORD_FILE} is not a record: {error!r}") from error


def cell_of(record: Record, *, folder: Path | None) -> Cell:
    """The flat form of a record."""
    model = record.model
    return Cell(
        study=record.study,
        cell_id=record.cell_id,
        names=record.names,
        setting=_setting(record),
        seeds=record.seeds,
        base=model["base_setting"],
        draw=f"{model['base_key']} {model.get('base_weights') or ''}".strip(),
        family=model.get("family"),
        num_params=model.get("num_params_non_embedding"),
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


def _on_set(own: Cell, one: SetRecord) -> Cell:
    """The cell on a further test set, which is a part of its setting: nothing is averaged or paired over two sets."""
    of_set = {f"{TEST_SET}.{key.removeprefix(OF_DATA)}": value for key, value in one.setting.items()}
    return replace(
        own,
        setting={**own.setting, TEST_SET: one.name, **of_set},
        scores=one.scores,
        rates=one.rates,
        eval_subset=one.data.get("eval_subset"),
        perturbed=one.data.get("perturbed"),
        cost=(*(stage for stage in own.cost if stage.name not in OF_SCORING), *one.cost),
        files={**own.files, **one.files},
    )


def _setting(record: Record) -> dict[str, Any]:
    """Its setting on its own test set. A step-matched control of before it named what it is matched to is one of RFT."""
    matched = {MATCHED_TO: "rft"} if record.setting["method"] == MATCHED else {}
    return {**matched, **record.setting, TEST_SET: None}


def _from_data(record: Record) -> dict[str, Any]:
    return {name: record.data.get(name) for name in _FROM_DATA}


def with_known_weights(cells: Sequence[Cell]) -> list[Cell]:
    """Cells whose records lack the digest of their base's weights, in the draw of those that have it, where the base is that
    of theirs: of one key, and of one pretraining loss to the last bit, as no other weights have. Others stay as they are.
    """
    known: dict[tuple[str, float | None], set[Draw]] = {}
    for cell in cells:
        if weights_known(cell):
            known.setdefault((key_of(cell), cell.loss), set()).add(cell.draw)
    return [_known_draw(cell, known.get((key_of(cell), cell.loss), set())) for cell in cells]


def _known_draw(cell: Cell, twins: set[Draw]) -> Cell:
    certain = not weights_known(cell) and cell.loss is not None and len(twins) == 1
    return replace(cell, draw=next(iter(twins))) if certain else cell


def key_of(cell: Cell) -> str:
    """The key of its base's configuration and seeds, which a draw begins with."""
    return cell.draw.partition(" ")[0]


def weights_known(cell: Cell) -> bool:
    """Whether its draw is told by the weights too."""
    return " " in cell.draw


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


def _in_bits(cell: Cell) -> Cell:
    bits, nats = cell.bits_per_byte, cell.loss
    se = cell.loss_se * bits / nats if bits is not None and nats and cell.loss_se is not None else None
    return replace(cell, loss=bits, loss_se=se, loss_unit="bits/byte")
