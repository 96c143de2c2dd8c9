"""`rft export --pools`: of every method that reads a pool the same draws, to the cell's questions alone; else it is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from composing import compute, tiny

from rft.cli.export import export
from rft.records import Record, read_json, read_jsonl

SIZE = ("k=2", "data.max_new_tokens=24", "model.pretrain.tokens=65536", "train.epochs=6", "temperature=1.0")
POOL = "pool-nano-xs.jsonl"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pools")


def exported(folder: Path, name: str, *more: str) -> tuple[Path, str]:
    """(the data's folder, what is printed)."""
    cell = compute(tiny(*SIZE, *more, f"store.root={folder}/store"), study=folder / name)
    if not (folder / f"{name}-out").exists():
        text = export(cell, to=folder / f"{name}-out", store_root=folder / "store", pools=True, data_only=True)
        (folder / f"{name}.txt").write_text(text)
    return folder / f"{name}-out" / "data", (folder / f"{name}.txt").read_text()


@pytest.mark.parametrize("method", ["sampled", "sft_matched", "fresh_human", "self_query"])
def test_whoever_reads_rfts_pool_exports_it(folder: Path, method: str):
    (theirs, _), (data, text) = exported(folder, "rft", "method=rft"), exported(folder, method, f"method={method}")
    assert list(read_jsonl(data / POOL)) == list(read_jsonl(theirs / POOL)) != []
    assert text.endswith(f", {2 * 16} draws in {POOL}")
    note = "The model was trained on no path of these pools."
    assert (note in (data / "README.md").read_text()) is (method != "self_query")
    assert note not in (theirs / "README.md").read_text()


def test_a_pool_to_some_of_the_questions_is_written_as_it_was_drawn(folder: Path):
    data, text = exported(folder, "some", "method=sampled", "methods.sampled.num_questions=5")
    rows = list(read_jsonl(data / POOL))
    assert len(rows) == 10
    assert len({row["id"] for row in rows}) == 5
    assert text.endswith(f", 10 draws in {POOL}")


def test_a_cell_without_a_pool_says_so(folder: Path):
    data, text = exported(folder, "sft", "method=sft")
    assert text.endswith("16 examples, no pool: sft chooses from none")
    assert not list(data.glob("pool-*"))


def test_of_an_imported_file_the_cells_own_questions_are_written(folder: Path):
    whole = exported(folder, "rft", "method=rft")[0] / POOL
    more = ("method=rft", "data_frac=0.25", "union=[theirs]", f"+pools.theirs.path={whole}")
    data, _ = exported(folder, "quarter", *more)
    asked = {row["question"] for row in read_jsonl(data / "train.jsonl") if row["source"] == "human"}
    rows = list(read_jsonl(data / "pool-theirs.jsonl"))
    given = [(row["question"], row["draw"], row["text"]) for row in read_jsonl(whole) if row["question"] in asked]
    assert sorted((row["question"], row["draw"], row["text"]) for row in rows) == sorted(given)
    (record,) = (Record.from_json(read_json(path)) for path in (folder / "quarter").glob("*/record.json"))
    assert len(rows) == record.data["num_samples"] == 2 * len(asked) == 8


def test_of_a_donor_whose_draws_two_choices_have_seen_all_are_written_once(folder: Path):
    """A control of a union that is cut to the paths of the model's own pool with as many draws."""
    whole = exported(folder, "rft", "method=rft")[0] / POOL
    more = ("union=[nano-xs,theirs]", f"+pools.theirs.path={whole}", "select.thin=own")
    data, _ = exported(folder, "thin", "method=sft_matched", *more)
    sizes = {path.name: len(list(read_jsonl(path))) for path in data.glob("pool-*")}
    assert sizes == {POOL: 4 * 16, "pool-theirs.jsonl": 2 * 16}
