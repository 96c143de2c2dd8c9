"""A small study that the tests of checks share, and configurations that are composed once for all of them."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from composing import compute, tiny

from rft.plan import composing

_hydras = composing.composed


@cache
def _pickled(overrides: tuple[str, ...], config_dir: Path | str | None) -> bytes:
    return pickle.dumps(_hydras(overrides, config_dir=config_dir))


@pytest.fixture(autouse=True)
def _composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every check plans the cells of the same study again, and a composition takes a tenth of a second."""

    def composed(overrides: Sequence[str], *, config_dir: Path | str | None = None) -> Any:
        return pickle.loads(_pickled(tuple(overrides), config_dir))

    monkeypatch.setattr(composing, "composed", composed)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study of two cells and its store."""
    folder = tmp_path_factory.mktemp("verify")
    for more in (("method=sft", "train_seed=1"), ("method=rft",)):  # another seed: this tiny model keeps no path
        cfg = tiny(*more, "k=2", "temperature=1.5", "eval.vote_k=2", f"store.root={folder / '.store'}")
        compute(cfg, study=folder / "study")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """A copy to edit."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"
