"""Paths of sampled test solutions are told apart as the cell's selection tells them: by one reading of equations."""

from __future__ import annotations

import pytest

from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Problem, Sample
from rft.stages.vote import Vote, vote_rows
from rft.text.path_keys import EQUATIONS
from rft.text.selection import policy_named, select
from tests.composing import FILES, FROM_FILES, composed, tiny

TEXTS = ("2+3=5 #### 5", "so 2 + 3 = 5 #### 5", "3+2=5 #### 5", "<<2+3=5>> #### 5", "#### 5")
BY_HAND = {"annotated": [None, None, None, 0, None], "plain": [0, 0, 1, 0, None], "text": [0, 1, 2, 3, 4]}


@pytest.mark.parametrize("equations", EQUATIONS)
def test_votes_and_selection_count_the_same_paths(equations: str):
    problem = Problem("p", "2 and 3?", "", "5")
    samples = [Sample("p", draw, text, False, 9, "m") for draw, text in enumerate(TEXTS)]
    (row,) = vote_rows([problem], {"p": samples}, rule="paper_select", equations=equations)
    assert row.paths == BY_HAND[equations]
    kept = select(samples, [problem], policy=policy_named("paper", equations=equations)).kept
    assert len({path.key for path in kept if path.key}) == len({one for one in row.paths or () if one is not None})


@pytest.mark.parametrize("method", ["sft", "rft", "icl"])
def test_a_cell_votes_by_its_own_reading(method: str):
    words = (*FROM_FILES, f"method={method}", "k=2", "eval.vote_k=2")
    cells = {kind: plan(composed(*words, f"select.equations={kind}"), FILES) for kind in EQUATIONS}
    votes = {kind: [one for one in cell.stages if isinstance(one, Vote)] for kind, cell in cells.items()}
    assert {kind: [one.equations for one in found] for kind, found in votes.items()} == {k: [k] for k in EQUATIONS}
    assert len({found[0].key for found in votes.values()}) == 3
    settings = {kind: cell.setting.get("select.equations") for kind, cell in cells.items()}
    assert (settings["plain"], settings["text"]) == ("plain", "text")


def test_annotated_equations_leave_keys_and_settings_as_they_were():
    cfg = tiny("method=sft", "eval.vote_k=2")
    cell = plan(cfg, resolve(cfg))
    (vote,) = (one for one in cell.stages if isinstance(one, Vote))
    assert "equations" not in vote.identity()
    assert "select.equations" not in cell.setting
