"""What a study's files say is compared before it is used: a cell that contradicts itself is missing, with file and field."""

from __future__ import annotations

import gzip
import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.compare.comparisons import Relevance, Verdict, judge
from analysis.compare.controls import compare
from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.records import with_one_unit
from analysis.load.studies import load_studies
from analysis.stats.uncertainty import nested_mean, replicate_mean
from analysis.study import draw_study
from analysis.tables.matched import matched_summary
from rft.records import Record, Score, read_json, read_jsonl, write_json, write_jsonl

SMALL = Truth(num_items=60, num_full=32)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), seeds=range(2))
    return write_study(tmp_path / "s", specs=specs, truth=SMALL, vote_k=3)


def edit(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    """An edit of record.json."""

    def apply(folder: Path) -> None:
        row = read_json(folder / "record.json")
        change(row)
        (folder / "record.json").write_text(json.dumps(row))

    return apply


def in_rows(change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> Callable[[Path], None]:
    """An edit of the outcomes."""

    def apply(folder: Path) -> None:
        path = folder / "outcomes.jsonl.gz"
        write_jsonl(path, change(list(read_jsonl(path))))

    return apply


def flip_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows[0]["greedy"]["outcome"] = "W" if rows[0]["greedy"]["outcome"] == "C" else "C"
    return rows


def flip_draw(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    letters = rows[0]["draws"]["outcomes"]
    rows[0]["draws"] |= {"outcomes": ("N" if letters[0] == "C" else "C") + letters[1:], "rivals": [None] * 3}
    return rows


def cut(folder: Path) -> None:
    path = folder / "outcomes.jsonl.gz"
    path.write_bytes(path.read_bytes()[:-20])


def others(folder: Path) -> None:
    shutil.copy(folder.parent / "0" / "outcomes.jsonl.gz", folder / "outcomes.jsonl.gz")


def score(**values: Any) -> Callable[[Path], None]:
    return edit(lambda row: row["scores"]["maj1@1"].update(values))


def model(**values: Any) -> Callable[[Path], None]:
    return edit(lambda row: row["model"].update(values))


FAULTS: dict[str, tuple[Callable[[Path], None], str]] = {
    "outcomes of another cell": (others, r"says maj1@1 value = .*, outcomes.jsonl.gz says"),
    "the first rows alone": (in_rows(lambda rows: rows[:10]), r"maj1@1 n = 60, outcomes.jsonl.gz says 10"),
    "one outcome letter": (in_rows(flip_first), "says maj1@1 value"),
    "one draw": (in_rows(flip_draw), "says (maj1@3|pass@1|pass@3) value"),
    "no draws": (in_rows(lambda rows: [{k: v for k, v in r.items() if k != "draws"} for r in rows]), "holds nothing"),
    "no rows": (in_rows(lambda rows: []), "no problem"),
    "a digit of the record": (score(value=0.146875), "says maj1@1 value = 0.146875"),
    "an error of the record": (score(se=0.001), "says maj1@1 se = 0.001"),
    "a truncated gzip file": (cut, "outcomes.jsonl.gz cannot be read"),
    "no gzip file": (lambda f: (f / "outcomes.jsonl.gz").write_bytes(b"x") and None, "cannot be read"),
    "not UTF-8": (lambda f: (f / "outcomes.jsonl.gz").write_bytes(gzip.compress(b"\xff\n")) and None, "cannot be read"),
    "accuracy NaN": (score(value=math.nan), "scores.maj1@1: a score of numbers that are not finite"),
    "accuracy in percent": (score(value=45.3), r"scores.maj1@1 is 45.3: a share lies in \[0, 1\]"),
    "n = 0": (score(n=0), "scores.maj1@1: a score over n = 0"),
    "a loss of 0": (model(pretrain_loss_nats=0.0), "model.pretrain_loss_nats is 0.0"),
    "a loss of NaN": (model(pretrain_loss_nats=math.nan), "model.pretrain_loss_nats is nan"),
    "a record that is a list": (lambda f: (f / "record.json").write_text("[]") and None, "unreadable record"),
    "an empty record": (lambda f: (f / "record.json").write_text("") and None, "unreadable record"),
    "a record of bytes": (lambda f: (f / "record.json").write_bytes(b"\xff\xfe") and None, "unreadable record"),
    "a record of brackets": (lambda f: (f / "record.json").write_text("[" * 100_000) and None, "unreadable record"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_cell_that_contradicts_itself_is_missing_with_file_and_field(study: Path, tmp_path: Path, name: str):
    damage, message = FAULTS[name]
    before = len(verified(load_studies([study]))[0].cells)
    damage(study / "3")
    table, _ = verified(load_studies([study]))
    assert len(table.cells) == before - 1
    (gap,) = table.missing
    assert re.search(message, gap.reason), gap.reason
    with pictures():
        text = draw_study([study], out=tmp_path / "figures")
    assert "1 cells are missing and left out of every fit" in text


def test_a_sound_study_loses_nothing(study: Path):
    table, outcomes = verified(load_studies([study]))
    assert (len(table.missing), len(outcomes.unreadable)) == (0, 0)


def test_what_cannot_be_is_not_written():
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not finite"):
            Score(bad, 10, 0.1)
    with pytest.raises(ValueError, match="n = 0"):
        Score(0.5, 0, 0.1)
    row = {"scores": {"maj1@1": Score(1.5, 10, 0.1)}, "rates": {}, "model": {}, "cost": []}
    names = ("study", "cell_id", "cell_key", "names", "setting", "seeds", "data", "stages", "provenance", "files")
    with pytest.raises(ValueError, match=r"scores.maj1@1 is 1.5"):
        Record(**row, **dict.fromkeys(names))  # type: ignore[arg-type]


# Where all outcomes are equal


def test_two_methods_at_zero_are_not_known_to_be_equal(tmp_path: Path):
    truth = Truth(num_items=60, num_full=32, at_full=-100.0, control={})
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), draws=range(5))
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=truth)]))
    points = make_points(table.cells, outcomes)
    rft, sft = (next(p for p in points if p.method == method) for method in ("rft", "sft"))
    found = compare(rft, {"sft": sft}, outcomes)
    assert found is not None
    result = found.result
    low, high = result.estimate.interval()
    assert low == pytest.approx(-high)
    assert high == pytest.approx(100 * (1 - 0.025 ** (1 / 60)))
    assert result.verdict is Verdict.NOT_SEPARABLE, "60 problems cannot show that two methods are within a point"
    assert "right and wrong alike on all 60 problems" in matched_summary(points, outcomes)


def test_enough_equal_problems_are_equivalence():
    rows = np.zeros((1, 1319))
    same = nested_mean([[rows] * 5], bounds=(-100.0, 100.0))
    learnt = nested_mean([[rows + gain for gain in (3.0, 4.0, 5.0, 4.0, 4.5)]])
    assert judge(same, control=[learnt]).relevance is Relevance.SMALLER


def test_equal_replicates_without_problems_are_not_enough_data():
    estimate = replicate_mean(np.array([41.0, 41.0, 41.0, 41.0, 41.0]))
    assert math.isnan(estimate.se)
    assert judge(estimate).reason.startswith("not enough data")


@pytest.mark.parametrize("share", [0.0005, 0.002, 0.01])
def test_the_interval_of_equal_outcomes_covers_what_could_not_be_seen(share: float):
    """Of studies whose paired outcomes all agree, at most 5 % have a true share of differences beyond the interval; over all
    studies the interval of the whole procedure covers. Simulated with a known share of problems that differ."""
    rng, n, covered, runs = np.random.default_rng(0), 400, 0, 4000
    half = 1 - 0.025 ** (1 / n)
    agree = rng.binomial(n, share, runs) == 0
    covered = np.where(agree, share <= half, True).mean()
    assert covered >= 0.95


# One unit for pretraining losses


def test_tokenizers_that_differ_put_losses_on_bits_per_byte(tmp_path: Path):
    """Five families: in nats per token 'worse loss, better model' (+14.1 points per nat), on bits per byte the reverse."""
    nats, bits, accuracy = (1.1, 2.0, 2.6, 3.0, 3.3), (1.59, 1.20, 1.00, 0.85, 0.70), (12, 20, 28, 36, 44)
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("sft",))
    folder = write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=100))
    base = read_json(folder / "0" / "record.json")
    cells = []
    for i in range(5):
        row = json.loads(json.dumps(base))
        row["names"]["model"], row["cell_id"], row["setting"]["model.content"] = f"m{i}", f"c{i}", str(i)
        row["model"] |= {
            "base_key": str(i),
            "base_setting": str(i),
            "tokenizer": f"t{i}",
            "loss_text": "heldout.txt 3f2a",
        }
        row["model"] |= {"pretrain_loss_nats": nats[i], "bits_per_byte": bits[i], "pretrain_loss_se": 0.01}
        p = accuracy[i] / 100
        row["scores"]["maj1@1"] = {"value": p, "n": 100, "se": math.sqrt(p * (1 - p) / 100)}
        (tmp_path / f"c{i}").mkdir()
        write_json(tmp_path / f"c{i}" / "record.json", row)
        cells.append(tmp_path / f"c{i}")
    table = load_studies(cells)
    assert {cell.loss_unit for cell in table.cells} == {"bits/byte"}
    assert [cell.loss for cell in table.cells] == list(bits)
    with pictures():
        draw_study(cells, out=tmp_path / "figures")
    (line,) = [f for f in read_json(tmp_path / "figures/fits.json")["fits"] if f.get("figure") == "accuracy_vs_loss"]
    assert line["loss_unit"] == "bits/byte"
    assert line["b"] < 0


def test_one_tokenizer_stays_in_nats_and_unknown_bits_are_left_out(study: Path):
    from dataclasses import replace

    cells = load_studies([study]).cells
    assert {cell.loss_unit for cell in cells} == {"nats/token"}
    mixed = [replace(cells[0], tokenizer="other", bits_per_byte=None), *cells[1:]]
    found = with_one_unit(mixed)
    assert found[0].loss is None
    assert {cell.loss_unit for cell in found} == {"bits/byte"}
