"""Which store commands read that are given a study and no store: one answer for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from rft.cli import export, status
from rft.folders import store_of


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study outside the default folder; the working directory has the default store."""
    (tmp_path / "here" / "multirun_outputs" / ".store").mkdir(parents=True)
    (tmp_path / "there" / "mine" / "cell").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "there"


def test_the_store_beside_the_study_comes_first(elsewhere: Path):
    assert store_of(elsewhere / "mine") == "multirun_outputs/.store"
    (elsewhere / ".store").mkdir()
    assert store_of(elsewhere / "mine") == str(elsewhere / ".store")
    assert store_of(Path("multirun_outputs/mine")) == str(Path("multirun_outputs/.store").resolve())


def test_without_any_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert store_of(tmp_path / "mine") is None


def test_status_and_export_ask_the_same(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The one took the store beside the study alone, the other the default one always."""
    (elsewhere / ".store").mkdir()
    asked: list[str] = []
    monkeypatch.setattr(export, "export", lambda *_, store_root, **__: asked.append(store_root) or "written")
    monkeypatch.setattr(status, "study_text", lambda _: "")
    assert export.main([str(elsewhere / "mine" / "cell"), "--to", str(elsewhere / "x")]) == 0
    assert asked == [str(elsewhere / ".store")]
    assert status.main([str(elsewhere / "mine")]) == 0
    assert f"being computed now in {elsewhere / '.store'}" in capsys.readouterr().out
    for flag in ("--store", "--root"):
        assert status.main([str(elsewhere / "mine"), flag, str(elsewhere / "none")]) == 0
        assert f"there is no store in {elsewhere / 'none'}" in capsys.readouterr().out
