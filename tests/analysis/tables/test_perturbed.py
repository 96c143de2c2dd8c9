"""Copy minus original: intervals over the problems that both have, whatever the number of replicates."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.load.cells import Cell, Table
from analysis.load.checks import verified
from analysis.load.names import base_names
from analysis.load.points import make_points
from analysis.stats.linear import t_quantile
from analysis.stats.uncertainty import Estimate
from analysis.tables.perturbed import COPY, ORIGINALS, change_of, change_text, copy_rows
from rft.records import Score, write_jsonl

ORIGINAL, COPIED = "CWCCC", "WWCW"  # the last problem has no copy
CHANGE, SE = -0.5, math.sqrt(1 / 3 / 4)  # of (-1, 0, 0, -1), by hand


def row(number: int, original: str, copied: str | None) -> dict[str, object]:
    made = {"id": f"g-{number}", "gold": "1", "greedy": {"outcome": original, "answer": "1"}}
    return made if copied is None else made | {"perturbed": {"gold": "2", "outcome": copied, "answer": "2"}}


def cell(folder: Path, *, seed: int = 0, copied: str = COPIED, frac: float = 1.0) -> Cell:
    folder.mkdir()
    both = zip(ORIGINAL, [*copied, None], strict=True)
    write_jsonl(folder / "outcomes.jsonl.gz", [row(i, *outcomes) for i, outcomes in enumerate(both)])
    pairs = [(c == "C", o == "C") for o, c in zip(ORIGINAL, copied, strict=False)]
    hits = [sum(column) for column in zip(*pairs, strict=True)]
    scores = {"maj1@1": Score.binomial(4, 5), COPY: Score.binomial(hits[0], 4), ORIGINALS: Score.binomial(hits[1], 4)}
    moved = Score.mean([float(a) - float(b) for a, b in pairs])
    facts = {"num_problems": 4, "difference": moved.value, "difference_se": moved.se}
    return Cell(
        study="s", cell_id=folder.name, names={"model": "m", "data": "gsm8k"}, base="b", draw="b", scores=scores,
        setting={"method": "sft", "data_frac": frac}, seeds={"data_seed": seed}, perturbed=facts, folder=folder,
    )  # fmt: skip


def change(*cells: Cell) -> Estimate:
    """Of cells whose files were checked against their records."""
    table, outcomes = verified(Table(cells))
    assert len(table.cells) == len(cells)
    return change_of(cells, outcomes)


def test_problems_without_a_copy_take_no_part(tmp_path: Path):
    one = cell(tmp_path / "a")
    outcomes = verified(Table((one,)))[1]
    answers = [outcomes.matrix([one], name) for name in (COPY, ORIGINALS)]
    assert [(found[0], found[1][0].tolist()) for found in answers if found] == [
        (("g-0", "g-1", "g-2", "g-3"), [False, False, True, False]),
        (("g-0", "g-1", "g-2", "g-3"), [True, False, True, True]),
    ]


def test_one_replicate_has_a_paired_interval_over_problems(tmp_path: Path):
    found = change(cell(tmp_path / "a"))
    assert (found.value, found.num_items) == (100 * CHANGE, 4)
    half = 100 * SE * t_quantile(0.95, df=3)
    assert found.interval() == pytest.approx((100 * CHANGE - half, 100 * CHANGE + half))


def test_replicates_that_agree_are_no_more_problems(tmp_path: Path):
    one, other = cell(tmp_path / "a"), cell(tmp_path / "b", seed=1)
    assert change(one, other).interval() == pytest.approx(change(one).interval())


def test_a_record_without_its_outcomes_gives_the_same_interval(tmp_path: Path):
    whole = cell(tmp_path / "a")
    assert change(replace(whole, folder=None)).interval() == pytest.approx(change(whole).interval())


def test_the_table_has_a_row_for_every_setting_on_a_copy(tmp_path: Path):
    whole, half = cell(tmp_path / "a"), cell(tmp_path / "b", frac=0.5, copied="CWCC")
    without = replace(cell(tmp_path / "c", frac=0.25), perturbed=None)
    outcomes = verified(Table((whole, half, without)))[1]
    points = make_points([whole, half, without], outcomes)
    _, rows = copy_rows(points, base_names([whole]), outcomes)
    assert [line[2:5] for line in rows] == [("1", "", "4"), ("0.5", "", "4")]
    assert rows[0][5:7] == ("75.0 ± 25.0", "25.0 ± 25.0"), "one wrong, or right, of four: sqrt(1/4 / 4)"
    assert rows[0][7] == "-50.0 (-141.9 to +41.9)"
    assert rows[1][7] == "+0.0 (-60.2 to +60.2)", "no problem of four changed, which says little"


def test_a_difference_without_an_error_is_shown_without_an_interval(tmp_path: Path):
    two = [replace(cell(tmp_path / name, seed=i), folder=None) for i, name in enumerate("ab")]
    assert change_text(replace(change(*two), se=math.nan)) == "-50.0"
