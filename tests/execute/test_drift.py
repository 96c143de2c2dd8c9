"""Stages say which code made them; other code under the same keys is told at the start of a sweep and by the analysis."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from composing import compute, tiny

from analysis.load.studies import load_studies
from analysis.report.sections import provenance_section
from rft.config import StudyConfig
from rft.execute import code
from rft.infra.code import Code
from rft.infra.digest import digest
from rft.infra.manifest import read_manifest, write_manifest
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import RECORD_FILE, Record, read_json


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drift")
    compute(cell(folder), study=folder / "study")
    return folder


def cell(place: Path) -> StudyConfig:
    return tiny("method=sft", f"store.root={place / 'store'}")


def record(folder: Path) -> Record:
    (path,) = folder.glob(f"*/{RECORD_FILE}")
    return Record.from_json(read_json(path))


def test_a_record_lists_the_code_of_each_stage_and_the_store_knows_its_definitions(place: Path):
    found, store = record(place / "study"), Store(place / "store")
    for row in found.stages:
        assert row["code"] == found.provenance["code"][row["name"]]
        parts = code.kept_parts(store, row["code"])
        assert parts is not None
        assert digest(parts) == row["code"]
    by_kind = {row["name"]: row["code"] for row in found.stages}
    assert len(set(by_kind.values())) == len(by_kind)
    assert not load_studies([place / "study"]).notes


def test_other_code_under_the_same_keys_is_told_by_the_sweep_and_by_the_analysis(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    real = code.code_of

    def edited(roots: tuple[str, ...], **more: tuple[str, ...]) -> Code:
        found = real(roots, **more)
        parts = {name: "edited" if name == "rft.text.answers:grade" else part for name, part in found.parts.items()}
        return Code(digest(parts), parts)

    monkeypatch.setattr(code, "code_of", edited)
    with caplog.at_level(logging.WARNING, logger="rft"):
        compute(cell(place), study=tmp_path / "again")
    assert "evaluate: 1 of 1 were made by other code than today's (rft.text.answers:grade)" in caplog.text
    assert "human_set:" not in caplog.text
    table = load_studies([tmp_path / "again"])
    (note,) = table.notes
    assert "evaluate (1 of 1 cells)" in provenance_section(table)
    assert "evaluate (1 of 1 cells)" in note
    assert "human_set" not in note
    keys = [{row["key"] for row in record(folder).stages} for folder in (place / "study", tmp_path / "again")]
    assert keys[0] == keys[1], "no part of any identity"


def test_stages_from_before_count_as_unknown(place: Path):
    cfg, store = cell(place), Store(place / "store")
    stages = plan(cfg, resolve(cfg)).stages
    assert code.drift_lines(stages, store) == []
    (stage,) = (one for one in stages if one.kind == "human_set")
    folder = store.folder(stage.kind, stage.key)
    before = read_manifest(folder)
    assert before is not None
    (folder / "manifest.json").unlink()
    meta = {name: value for name, value in before.meta.items() if name != "code"}
    write_manifest(folder, name=before.name, key=before.key, seconds=before.seconds, meta=meta)
    assert code.drift_lines(stages, store)[1:] == ["  human_set: 1 of 1 do not say which code made them"]
