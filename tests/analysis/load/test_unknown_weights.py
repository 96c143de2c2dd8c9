"""Records that do not name their base's weights, beside records of the same base that do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import run_claims, study_view
from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from rft.records import RECORD_FILE, read_json, write_json

DRAWS = range(1, 7)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Six draws of a base; RFT's records name the weights, and SFT's do not."""
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(16,), methods=("sft", "rft"), draws=DRAWS)
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(rft_at_1=5.0, num_items=400))
    return changed(folder, lambda model, draw: model.update(base_weights=f"w{draw}"), method="rft")


def changed(folder: Path, change: Any, *, method: str) -> Path:
    """Records of a method with something else said of their model, given the draw."""
    for path in sorted(folder.glob(f"*/{RECORD_FILE}")):
        record = read_json(path)
        draw = record["seeds"]["pretrain_seed"]
        record["model"]["pretrain_loss_nats"] = 1.9 + 0.01 * draw  # each base has a loss of its own
        if record["setting"]["method"] == method:
            change(record["model"], draw)
        write_json(path, record)
    return folder


def of_weights(notes: Sequence[str]) -> list[str]:
    """Notes on what weights a base has; a folder may be named after them."""
    return [note for note in notes if "other weights" in note or "base's weights" in note]


def test_a_record_without_weights_is_of_the_base_with_its_key_and_loss(study: Path) -> None:
    """No pair was left: claim 4b had nothing to test, and the notes had other weights."""
    table, outcomes = verified(load_studies([study]))
    assert len({cell.draw for cell in table.cells}) == len(DRAWS)
    assert not of_weights(table.notes)
    results = {r.claim: r for r in run_claims(study_view(make_points(table.cells, outcomes), outcomes))}
    estimate = results["4b"].estimate
    assert estimate is not None
    assert estimate.num_draws == len(DRAWS)


def test_of_two_bases_of_one_key_it_is_the_one_of_its_loss(study: Path) -> None:
    """RFT once more, made on another machine: other weights and another loss under the same key."""
    again = write_study(
        study.parent / "again",
        specs=grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("rft",), draws=DRAWS),
        truth=Truth(num_items=400),
    )

    def other(model: dict[str, Any], draw: int) -> None:
        model.update(base_weights=f"v{draw}", pretrain_loss_nats=2.5)

    table = load_studies([study, changed(again, other, method="rft")])
    draws = {
        method: {c.draw for c in table.cells if (c.method, c.k) == method} for method in (("sft", None), ("rft", 16))
    }
    assert draws["sft", None] == draws["rft", 16]
    assert sum("one key and other weights" in note for note in table.notes) == len(DRAWS)


@pytest.mark.parametrize("loss", [None, 1.8999999999999999])
def test_a_base_of_another_loss_or_of_none_is_kept_apart_and_the_note_says_why(study: Path, loss: float | None) -> None:
    """Nothing says that its weights are the same: they count as another draw, which is not called one of other weights."""
    changed(study, lambda model, _: model.update(pretrain_loss_nats=loss), method="sft")
    table = load_studies([study])
    assert len({cell.draw for cell in table.cells}) == 2 * len(DRAWS)
    (note,) = of_weights(table.notes)
    assert note.startswith(f"Records of nano-s in {study} do not name their base's weights (model.base_weights)")
    assert "They count as 6 further draws" in note
    assert "one key and other weights" not in note


def test_records_that_all_lack_the_weights_have_no_note(study: Path) -> None:
    changed(study, lambda model, _: model.pop("base_weights"), method="rft")
    table = load_studies([study])
    assert len({cell.draw for cell in table.cells}) == len(DRAWS)
    assert not of_weights(table.notes)
