"""Further test sets of synthetic cells: what is computed for one is not charged to another, nor shown as another's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.compare.costs import cost_of
from analysis.load.checks import verified
from analysis.load.studies import load_every_set, load_studies
from analysis.tables.sets import sets_table
from rft.cli.archive import archive
from rft.records import Score, StageCost, read_json, write_json, write_jsonl


def with_set(folder: Path, *, name: str, content: str, hits: int, n: int = 10, said: int | None = None) -> None:
    """Score a cell's folder on a further set; its record says `said` hits where that is given."""
    outcomes = f"outcomes-{name}-{content}.jsonl.gz"
    letters = ["C"] * hits + ["W"] * (n - hits)
    rows = [{"id": f"{name}-{i}", "gold": "1", "greedy": {"outcome": c, "answer": "1"}} for i, c in enumerate(letters)]
    write_jsonl(folder / outcomes, rows)
    record: dict[str, Any] = read_json(folder / "record.json")
    score = Score.binomial(hits if said is None else said, n)
    cost = StageCost("evaluate", f"e-{name}-{content}", 7.0, 3e9, 100, False, makes=False)
    record.setdefault("sets", []).append(
        {
            "name": name, "key": content, "setting": {"data.rule": "gsm8k", "data.test_content": content},
            "scores": {"maj1@1": score.__dict__}, "rates": {}, "data": {}, "stages": [], "cost": [cost.__dict__],
            "provenance": {}, "files": {"outcomes": outcomes},
        }
    )  # fmt: skip
    write_json(folder / "record.json", record)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    specs = grid(models=("nano-s",), fracs=(1.0,), methods=("icl", "sft"))
    return write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=20))


def test_a_method_that_trains_nothing_stands_at_the_evaluation_of_the_set_alone(study: Path) -> None:
    for place in ("0", "1"):
        with_set(study / place, name="pens", content="a", hits=4)
    cells = {(c.method, c.test_set): c for c in load_every_set([study]).cells}
    own, further = (cost_of(cells["icl", name]) for name in ("world-easy", "pens"))
    assert own is not None
    assert further is not None
    assert (own.seconds, further.seconds) == (1.0, 7.0)
    trained = [cost_of(cells["sft", name]) for name in ("world-easy", "pens")]
    assert trained[0] == trained[1]


def test_a_set_whose_outcomes_contradict_the_record_is_in_no_archive(study: Path, tmp_path: Path) -> None:
    with_set(study / "1", name="pens", content="a", hits=4)
    archive(study, to=tmp_path / "sound")
    assert len(load_every_set([tmp_path / "sound"]).cells) == 3
    with_set(study / "1", name="eggs", content="a", hits=4, said=9)
    with pytest.raises(ValueError, match="outcomes-eggs-a"):
        archive(study, to=tmp_path / "damaged")


def test_two_contents_of_one_name_are_two_columns(study: Path) -> None:
    """Both stood in one field, '40.0 ± 15.5; 90.0 ± 9.5'."""
    with_set(study / "1", name="pens", content="a", hits=4)
    with_set(study / "1", name="pens", content="b", hits=9)
    grid_ = sets_table(*verified(load_every_set([study])))
    assert grid_.header[-3:] == ("world-easy", "pens #1", "pens #2")
    (row,) = [row for row in grid_.rows if row[1] == "SFT"]
    assert [field.split()[0] for field in row[-2:]] == ["40.0", "90.0"]
    assert "pens #1: test_content a; pens #2: test_content b" in grid_.note


def test_one_content_is_one_column_whichever_cell_has_it(study: Path) -> None:
    for place in ("0", "1"):
        with_set(study / place, name="pens", content="a", hits=4)
    table, outcomes = verified(load_every_set([study]))
    assert sets_table(table, outcomes).header[-2:] == ("world-easy", "pens")
    alone = load_studies([study])
    assert not sets_table(replace(alone), outcomes).rows


def test_of_two_data_sets_each_row_says_which_it_is_of(tmp_path: Path) -> None:
    """It read 'Trained on alpha, beta; the other columns are out of that domain', of rows of one of them."""
    folders = []
    for name, other in (("alpha", "beta"), ("beta", "alpha")):
        folder = write_study(
            tmp_path / name, specs=grid(models=("nano-s",), fracs=(1.0,), methods=("sft",)), truth=Truth(num_items=20)
        )
        with_set(folder / "0", name=other, content=f"{other}-content", hits=9 if name == "beta" else 2)
        with_set(folder / "0", name="pens", content="p", hits=5)
        record: dict[str, Any] = read_json(folder / "0" / "record.json")
        record["names"]["data"] = name
        record["setting"] |= {"data.train_content": name, "data.test_content": f"{name}-content"}
        write_json(folder / "0" / "record.json", record | {"cell_id": name, "cell_key": name})
        manifest: dict[str, Any] = read_json(folder / "study.json")
        manifest["cells"][0]["cell_id"] = name
        write_json(folder / "study.json", manifest)
        folders.append(folder)
    both = sets_table(*verified(load_every_set(folders)))
    place = both.header.index("of data set")
    assert sorted(row[place] for row in both.rows) == ["alpha", "beta"]
    out_of_it = {
        row[place]: row[both.header.index(o)] for row in both.rows for o in ("alpha", "beta") if o != row[place]
    }
    assert {name: text.split()[0] for name, text in out_of_it.items()} == {"alpha": "20.0", "beta": "90.0"}
    assert "the other columns" not in both.note
    assert "(of data set) alone: alpha, beta." in both.note
    one = sets_table(*verified(load_every_set(folders[:1])))
    assert "of data set" not in one.header
    assert one.note.startswith("Trained on alpha; the other columns are out of that domain.")
