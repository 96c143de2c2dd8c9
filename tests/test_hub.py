"""Data sets through the datasets library; a local folder goes the same way as a hub id."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from byte_model import overrides, write_problems
from composing import composed

from rft.infra.hub import hub_rows, parse
from rft.infra.store import Store
from rft.pipeline import execute, plan
from rft.records import read_jsonl
from rft.sources import resolve
from rft.stages.problems import FILES


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def test_a_source_names_data_set_config_and_revision():
    assert parse("hub:openai/gsm8k") == ("openai/gsm8k", None, None)
    assert parse("hub:openai/gsm8k:socratic@e53f048") == ("openai/gsm8k", "socratic", "e53f048")
    with pytest.raises(ValueError, match="is not of the form"):
        parse("hub:")


def test_rows_come_in_order_with_their_numbers(tmp_path: Path):
    folder = write_problems(tmp_path / "data")
    expected = [json.loads(line) for line in (folder / "test.jsonl").read_text().splitlines()]
    assert list(hub_rows(f"hub:{folder}", split="test")) == list(enumerate(expected, start=1))


def test_a_split_that_is_not_there_is_a_clear_error(tmp_path: Path):
    folder = write_problems(tmp_path / "data")
    with pytest.raises(ValueError, match=r"cannot read split validation of hub:.* check the id and the network"):
        list(hub_rows(f"hub:{folder}", split="validation"))


def hub_cell(tmp_path: Path, *more: str):
    changed = [text for text in overrides(tmp_path) if not text.startswith(("data.train_path", "data.test_path"))]
    source = f"hub:{tmp_path}/data"
    return composed(*changed, "method=sft", f"data.train_path={source}", f"data.test_path={source}", *more)


def test_the_data_stage_reads_what_the_limits_say(tmp_path: Path):
    cfg = hub_cell(tmp_path, "data.train_limit=8", "data.test_limit=6")
    cell, store = plan(cfg, resolve(cfg)), Store(tmp_path / "store")
    execute([cell.roles["data"]], store=store, runtime=cfg.runtime)
    entry = store.get("data", cell.roles["data"].key)
    assert entry is not None
    assert len(list(read_jsonl(entry.path / FILES["train"]))) == 8


def test_a_data_set_of_unknown_size_is_refused_and_so_is_one_that_is_smaller_than_planned(tmp_path: Path):
    with pytest.raises(ValueError, match=r"set data\.train_limit and data\.test_limit"):
        resolve(hub_cell(tmp_path))
    cfg = hub_cell(tmp_path, "data.train_limit=13", "data.test_limit=6")
    cell = plan(cfg, resolve(cfg))
    with pytest.raises(ValueError, match="has 12 train rows, the study was planned with 13"):
        execute([cell.roles["data"]], store=Store(tmp_path / "store"), runtime=cfg.runtime)
