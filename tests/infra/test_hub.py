"""Data sets through the datasets library; a local folder goes the same way as a hub id."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from byte_model import overrides, write_problems
from composing import composed

from rft.config import StudyConfig
from rft.execute.stages import execute
from rft.infra.entry import Entry
from rft.infra.hub import hub_rows, parse
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.data_files import REPOSITORY
from rft.plan.sources import resolve
from rft.records import read_jsonl
from rft.stages.problems import PROBLEMS_FILE
from rft.stages.stage import Stage, in_order
from rft.text.gsm8k import content_digest, read_problems

pyarrow = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")


CARD = """---
configs:
- config_name: main
  data_files:
  - {split: train, path: main/train-*}
  - {split: test, path: main/test-*}
- config_name: socratic
  data_files:
  - {split: train, path: socratic/train-*}
  - {split: test, path: socratic/test-*}
---
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


SOURCE = "hub:mine/problems"  # in the tests a folder below the working directory, which the library reads the same way


def test_a_source_names_data_set_config_and_revision():
    assert parse("hub:openai/gsm8k") == ("openai/gsm8k", None, None)
    assert parse("hub:openai/gsm8k:socratic@e53f048") == ("openai/gsm8k", "socratic", "e53f048")
    assert parse("hub:squad@refs/convert/parquet") == ("squad", None, "refs/convert/parquet")


@pytest.mark.parametrize("source", ["hub:", "hub:/data/gsm8k", "hub:./gsm8k", "hub:a/b/c", "hub:a/b@", "hub:a/b:"])
def test_what_is_no_hub_id_is_refused_before_anything_runs(tmp_path: Path, source: str):
    with pytest.raises(ValueError, match="is not of the form hub:"):
        resolve(hub_cell(tmp_path, source=source))


def test_rows_come_in_order_with_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = published(tmp_path, monkeypatch)
    expected = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    assert list(hub_rows(SOURCE, split="test")) == list(enumerate(expected, start=1))


def test_a_split_that_is_not_there_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    published(tmp_path, monkeypatch)
    with pytest.raises(
        ValueError, match=r"cannot read split validation of hub:.* check the id and the network"
    ) as error:
        list(hub_rows(SOURCE, split="validation"))
    assert "\n" not in str(error.value)


def test_without_a_network_the_error_is_one_line(tmp_path: Path):
    code = "from rft.infra.hub import hub_rows\ntry: list(hub_rows('hub:openai/gsm8k', split='test'))\n"
    code += "except ValueError as error: print(error)"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith("cannot read split test of hub:openai/gsm8k from the hub (ConnectionError: ")
    assert line.endswith("or give local files (data.train_path, data.test_path)")


def hub_cell(tmp_path: Path, *more: str, source: str = SOURCE) -> StudyConfig:
    changed = [text for text in overrides(tmp_path) if not text.startswith(("data.train_path", "data.test_path"))]
    paths = [f"data.{split}_path='{source}'" for split in ("train", "test")]
    return composed(*changed, "method=sft", *paths, *more)


def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """From now on there is a data set of the name."""
    monkeypatch.chdir(tmp_path)
    return write_problems(tmp_path / "mine" / "problems")


def computed(tmp_path: Path, cfg: StudyConfig, stage: Stage) -> Entry:
    store = Store(tmp_path / "store")
    execute(in_order([stage]), store=store, runtime=cfg.runtime)
    entry = store.get(stage.kind, stage.key)
    assert entry is not None
    return entry


def test_the_data_stage_reads_what_the_limits_say_and_records_what_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cfg = hub_cell(tmp_path, "data.train_limit=8", "data.test_limit=6")
    train, test = plan(cfg, resolve(cfg)).read.problems
    folder = published(tmp_path, monkeypatch)
    entry, other = computed(tmp_path, cfg, train), computed(tmp_path, cfg, test)
    assert list(read_jsonl(entry.path / PROBLEMS_FILE)) == [
        problem.to_json() for problem in read_problems(folder / "train.jsonl", limit=8)
    ]
    fetched = {"train": entry.meta["facts"]["fetched"], "test": other.meta["facts"]["fetched"]}
    assert fetched["test"] == {"from": SOURCE, "sha256": content_digest(read_problems(folder / "test.jsonl"))}
    assert fetched["train"]["sha256"] != fetched["test"]["sha256"]


def test_a_data_set_of_unknown_or_smaller_size_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for source in (SOURCE, "hub:openai/gsm8k_other"):
        with pytest.raises(ValueError, match=r"set data\.train_limit to its number of rows"):
            resolve(hub_cell(tmp_path, source=source))
    cfg = hub_cell(tmp_path, "data.train_limit=13", "data.test_limit=6")
    train, _ = plan(cfg, resolve(cfg)).read.problems
    published(tmp_path, monkeypatch)
    with pytest.raises(ValueError, match="has 12 train rows, the study was planned with 13"):
        computed(tmp_path, cfg, train)


def test_a_leak_into_the_validation_part_is_found_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cfg = hub_cell(tmp_path, "data.train_limit=12", "data.test_limit=6", "data.num_validation=11")
    stages = plan(cfg, resolve(cfg)).stages
    folder = published(tmp_path, monkeypatch)
    rows = (folder / "train.jsonl").read_text().splitlines()
    leaked = (folder / "test.jsonl").read_text().splitlines()[0]
    (folder / "train.jsonl").write_text("\n".join([*rows[:-2], leaked, rows[-1]]) + "\n")
    store = Store(tmp_path / "store")
    with pytest.raises(ValueError, match="1 of 12 questions of the training file are in the test set"):
        execute(stages, store=store, runtime=cfg.runtime)
    assert not any(store.has(stage.kind, stage.key) for stage in stages if stage.kind in ("import", "finetune"))


def test_another_revision_is_another_data_set(tmp_path: Path):
    keys: set[str] = set()
    for revision in ("e53f048", "cc7b047"):
        cfg = hub_cell(tmp_path, source=f"hub:openai/gsm8k:main@{revision}")
        keys |= {stage.key for stage in plan(cfg, resolve(cfg)).read.problems}
    assert len(keys) == 4


def test_a_folder_of_the_same_name_is_not_taken_for_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cfg = hub_cell(tmp_path, "data.train_limit=8", "data.test_limit=6")
    published(tmp_path, monkeypatch)
    with pytest.raises(ValueError, match="there is a folder mine/problems here, which would be read instead"):
        resolve(cfg)


def test_the_held_out_text_is_a_file(tmp_path: Path):
    with pytest.raises(ValueError, match=r"the loss file hub:mine/problems does not exist: set data\.loss_path"):
        resolve(hub_cell(tmp_path, "data.train_limit=8", "data.test_limit=6", f"data.loss_path='{SOURCE}'"))


def test_without_the_library_a_plan_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cfg = hub_cell(tmp_path, source="hub:openai/gsm8k@e53f048")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert resolve(dataclasses.replace(cfg, dry_run=True)).num_test == 1_319
    with pytest.raises(ValueError, match=r"not installed: pip install '\.\[hub\]'"):
        resolve(cfg)


def test_gsm8k_as_the_hub_lays_it_out_is_the_published_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gsm8k_dir: Path
):
    cfg = hub_cell(tmp_path, source="hub:openai/gsm8k@e53f048")  # a bare id is looked for on this machine first
    problems = plan(cfg, resolve(cfg)).read.problems
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "openai" / "gsm8k"
    (folder / "main").mkdir(parents=True)
    (folder / "socratic").mkdir()
    for split in ("train", "test"):
        rows = [json.loads(line) for line in (gsm8k_dir / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]
        name = f"{split}-00000-of-00001.parquet"
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "main" / name)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows[:9]), folder / "socratic" / name)
    (folder / "README.md").write_text(CARD)
    train, test = (computed(tmp_path, cfg, stage).meta["facts"] for stage in problems)
    assert (train["gsm8k_release"], test["gsm8k_release"]) == ("exact", "exact")
    assert (train["num_problems"], test["num_problems"]) == (7_473, 1_319)
