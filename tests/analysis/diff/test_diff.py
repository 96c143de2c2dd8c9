"""`rft diff`: what differs is told, what flipped is counted as a plain loop over the outcome files counts it."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.diff.sides import match, read_side, record_of
from analysis.diff.text import diff_text
from rft import cli
from rft.archive.files import record_paths, rows_at
from rft.records import OUTCOMES_FILE, RECORD_FILE, read_json, write_json

QUICKSTART = Path("multirun_outputs/reference/quickstart")


def committed(start: str) -> Path:
    """The cell of the committed quickstart whose name starts so."""
    (found,) = [path.parent for path in record_paths(QUICKSTART) if path.parent.name.startswith(start)]
    return found


SFT, RFT = committed("nano-s_sft_f1_s0-"), committed("nano-s_rft_f1_k16_s0-")


def exact_p(only_a: int, only_b: int) -> float:
    """Two-sided binomial test of a half, by its definition."""
    n = only_a + only_b
    weights = [math.comb(n, i) for i in range(n + 1)]
    return sum(w for w in weights if w <= weights[only_a]) / 2**n


def test_two_cells_of_the_committed_study():
    text = diff_text(SFT, RFT, flips=2)
    right = [
        {row["id"]: row["greedy"]["outcome"] == "C" for row in rows_at(cell / OUTCOMES_FILE)} for cell in (SFT, RFT)
    ]
    only_a = sum(right[0][name] and not right[1][name] for name in right[0])
    only_b = sum(right[1][name] and not right[0][name] for name in right[0])
    assert f"{only_a:,} in A alone, {only_b:,} in B alone" in text
    assert f"p = {exact_p(only_a, only_b):.3g} " in text
    assert '  method "sft" -> "rft"' in text
    assert "  k none -> 16" in text
    (rft,) = [cell for cell in read_side(QUICKSTART).cells if cell.folder == RFT]
    assert f"  num_augmented 0 -> {record_of(rft).data['num_augmented']}" in text
    shown = [line.split(":")[0].strip() for line in text.splitlines() if line.startswith("  w-")]
    assert len(shown) == 4
    assert [right[0][name] for name in shown] == [True, True, False, False]
    assert all(right[0][name] != right[1][name] for name in shown)


def test_a_study_differs_from_itself_in_nothing():
    text = diff_text(QUICKSTART, QUICKSTART, flips=3)
    assert "cells in both: 22, 22 of them the same in scores and outcomes" in text
    assert "cells in A alone" not in text


def study(folder: Path) -> Path:
    return write_study(folder, specs=grid(models=["nano-s"], fracs=[0.5, 1.0]), truth=Truth(num_items=40))


def test_a_value_that_all_cells_of_one_side_have_otherwise_parts_no_pair(tmp_path: Path):
    a = study(tmp_path / "a")
    shutil.copytree(a, tmp_path / "b")
    for path in (tmp_path / "b").glob(f"*/{RECORD_FILE}"):
        row = read_json(path)
        row["setting"]["train.lr"] = 0.125
        write_json(path, row)
    gone = sorted((tmp_path / "b").glob("*/" + RECORD_FILE))[-1]
    shutil.rmtree(gone.parent)
    first, second = read_side(a), read_side(tmp_path / "b")
    found = match(first.cells, second.cells)
    assert [line.split()[0] for line in found.changed] == ["train.lr"]
    assert len(found.pairs) == len(second.cells) == len(first.cells) - 1
    assert len(found.only_a) == 1
    assert not found.only_b
    assert "missing in B" in diff_text(a, tmp_path / "b", flips=0)


@pytest.mark.parametrize(("own", "other"), [((1, None), (2, None)), ((None,), (None, 2)), ((None, 2), (None,))])
def test_a_value_that_some_cells_of_a_side_lack_tells_them_apart(tmp_path: Path, own: tuple, other: tuple):  # type: ignore[type-arg]
    cells = read_side(study(tmp_path / "s")).cells
    sides = [
        [replace(cell, setting={**cell.setting, "train.max_steps": value}) for cell in cells for value in values]
        for values in (own, other)
    ]
    found = match(*sides)
    told = [[cell.setting.get("train.max_steps") for cell in pair] for pair in found.pairs]
    assert len(told) == len(cells) * len(set(own) & set(other))
    assert all(first == second for first, second in told)
    assert len({id(cell) for pair in found.pairs for cell in pair}) == 2 * len(found.pairs)
    assert not found.changed


def test_other_outcomes_are_a_row_of_the_table(tmp_path: Path):
    a, specs = study(tmp_path / "a"), grid(models=["nano-s"], fracs=[0.5, 1.0])
    b = write_study(tmp_path / "b", specs=specs, truth=Truth(num_items=40), rng_seed=9)
    text = diff_text(a, b, flips=0)
    assert "p (Holm)" in text
    assert text.count("\n") > 4


def test_what_is_no_study_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.call(["diff", str(tmp_path), str(QUICKSTART)]) == 2
    assert "holds neither study.json" in capsys.readouterr().err
