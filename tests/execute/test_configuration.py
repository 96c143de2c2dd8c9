"""The configuration beside a record is that of the first sweep that kept it, also where two end at the same moment."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from rft.execute import configuration
from rft.execute.configuration import keep_configuration


def test_two_sweeps_that_end_a_cell_at_once_keep_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hydra = OmegaConf.create({"overrides": {"task": ["k=2"]}})
    write = configuration.private_file

    def meanwhile(path: Path):  # type: ignore[no-untyped-def]
        (tmp_path / ".hydra").mkdir(exist_ok=True)
        (tmp_path / ".hydra" / "config.yaml").write_text("the other's")
        return write(path)

    monkeypatch.setattr(configuration, "private_file", meanwhile)
    keep_configuration(OmegaConf.create({"k": 2}), hydra=hydra, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".hydra"]
    assert (tmp_path / ".hydra" / "config.yaml").read_text() == "the other's"
