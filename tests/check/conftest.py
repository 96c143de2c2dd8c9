"""A small study that the tests of checks share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from composing import compute, tiny


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
