"""Numbers-changed copies where a test set allows none: refused of the cell's own set, left out of a further one and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from byte_model import overrides
from composing import composed, compute

from rft.config import StudyConfig
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Record, read_json

MORE = ("method=icl", "eval.perturbed_seed=3")
COPIED = ("maj1@1_perturbed", "maj1@1_originals_of_perturbed")


def bare_rows(path: Path, *, last: str = "#### {}") -> Path:
    """Three questions whose answers have no equations, the last one's as given."""
    rows = []
    for number in range(3):
        question, gold = f"Bob counts {number + 3} hens and {number + 60} eggs. How many things?", 2 * number + 63
        answer = (last if number == 2 else "#### {}").format(gold)
        rows.append(json.dumps({"question": question, "answer": answer}) + "\n")
    path.write_text("".join(rows))
    return path


def with_set(folder: Path, path: Path, *more: str) -> StudyConfig:
    return composed(*overrides(folder), *MORE, "eval.sets=[hens]", f"+eval_sets.hens.test_path={path}", *more)


def test_a_further_set_of_answers_alone_is_scored_without_the_copy_that_the_own_set_has(tmp_path: Path):
    cfg = with_set(tmp_path, bare_rows(tmp_path / "hens.jsonl"))
    record = Record.from_json(read_json(compute(cfg, study=tmp_path / "study") / "record.json"))
    assert set(COPIED) <= set(record.scores)
    (hens,) = record.sets
    assert hens.scores["maj1@1"].n == 3
    assert not {*COPIED, "perturbed"} & {*hens.scores, *hens.data}


def test_the_plan_says_so_once_for_the_set(tmp_path: Path):
    cfg = with_set(tmp_path, bare_rows(tmp_path / "hens.jsonl"))
    (line,) = (line for line in plan(cfg, resolve(cfg)).told if "perturbed_seed" in line)
    assert line.startswith("test set hens: eval.perturbed_seed is left out of it: none of the 3 problems")
    assert "(no_equation 3)" in line
    cfg.eval.perturbed_seed = None
    assert not [line for line in plan(cfg, resolve(cfg)).told if "perturbed_seed" in line]


def test_one_problem_that_allows_a_copy_is_enough_where_it_is_scored(tmp_path: Path):
    path = bare_rows(tmp_path / "hens.jsonl", last="5+62 = <<5+62={0}>>{0}\n#### {0}")
    whole, first_two = with_set(tmp_path, path), with_set(tmp_path, path, "+eval_sets.hens.eval_problems=2")
    for cfg, has_copy in ((whole, True), (first_two, False)):
        (found,) = plan(cfg, resolve(cfg)).sets
        assert (found.measured.perturbed is not None) is has_copy


def test_the_cells_own_set_of_answers_alone_is_refused_before_anything_runs(tmp_path: Path):
    given = [*overrides(tmp_path), f"data.test_path={bare_rows(tmp_path / 'hens.jsonl')}"]
    cfg = composed(*given, *MORE)
    with pytest.raises(ValueError, match=r"hens\.jsonl: none of the 3 problems .*; set eval\.perturbed_seed=null"):
        resolve(cfg)
    resolve(composed(*given, "method=icl"))
