"""All folders of an export, whole or not at all.

write_export(Path("multirun_outputs/mine/nano-s_sft_s0-1a2b3c4d"), to=Path("out"), store_root=root, asked=Asked())
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rft.export.cards import data_card, model_card
from rft.export.cell import FinishedCell
from rft.export.checkpoint import template_of, write_adapter, write_model
from rft.export.examples import DEFAULT, training_rows, write_forms, write_pools
from rft.export.harness import write_task
from rft.infra.stores import named_store

CARD = "README.md"
MODEL, DATA, ADAPTER, LM_EVAL = "model", "data", "adapter", "lm_eval"


@dataclass(frozen=True)
class Asked:
    """What is to be exported."""

    forms: tuple[str, ...] = (DEFAULT,)
    pools: bool = False
    adapter: bool = False
    data_only: bool = False
    lm_eval: bool = False


def write_export(folder: Path, *, to: Path, store_root: str, asked: Asked) -> str:
    """Write below a scratch folder, then give it its name; returns what was written, a line each.

    Raises ValueError for a cell that is not finished, or cannot be exported as asked, and for a folder that is there.
    """
    if to.exists():
        raise ValueError(f"{to} is there: give a folder that is not")
    if asked.data_only and asked.adapter:
        raise ValueError("--adapter is of the model, which --data-only leaves out: give one of them")
    if asked.data_only and asked.lm_eval:
        raise ValueError("--lm-eval asks the model, which --data-only leaves out: give one of them")
    cell = FinishedCell.open(folder, store=named_store(store_root))
    if asked.data_only and cell.trainset is None:
        raise ValueError(f"{cell.record.cell_id} trains on nothing, so that it has no data to export")
    scratch = to.with_name(f".{to.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        lines = _write(cell, scratch, asked)
        scratch.rename(to)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return "\n".join(f"{to / name}: {what}" for name, what in lines)


def _write(cell: FinishedCell, out: Path, asked: Asked) -> list[tuple[str, str]]:
    """(folder, what it holds) of all that was written."""
    out.mkdir(parents=True)
    lines = [] if cell.trainset is None else [(DATA, _write_data(cell, out / DATA, asked))]
    if not asked.data_only:
        has_stops = write_model(cell, out / MODEL)
        (out / MODEL / CARD).write_text(model_card(cell, has_stops=has_stops), encoding="utf-8")
        lines.append((MODEL, "the model that the record scored"))
    if asked.lm_eval:
        lines.append((LM_EVAL, f"task {write_task(cell, out / LM_EVAL, model=out / MODEL)} for lm-evaluation-harness"))
    if asked.adapter:
        lines.append((ADAPTER, f"its adapter, of base {write_adapter(cell, out / ADAPTER)}"))
        shutil.copyfile(out / MODEL / CARD, out / ADAPTER / CARD)
    return lines


def _write_data(cell: FinishedCell, out: Path, asked: Asked) -> str:
    out.mkdir()
    rows = training_rows(cell)
    assert cell.trainset is not None
    template = template_of(cell.weights.identity)
    write_forms(rows, out, forms=asked.forms, template=template)
    pools = write_pools(cell, out) if asked.pools else {}
    (out / CARD).write_text(data_card(cell, rows, template=template, forms=asked.forms, pools=pools), encoding="utf-8")
    drawn = "".join(f", {count} draws in {name}" for name, count in pools.items())
    if asked.pools and not pools:
        drawn = f", no pool: {cell.record.setting['method']} chooses from none"
    return f"{len(rows)} examples{drawn}"
