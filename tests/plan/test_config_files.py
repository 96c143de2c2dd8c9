"""Files of a group that stand on others: those that name each other in a circle are refused, a file read twice is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from rft.conf_path import conf_folder
from rft.config import StudyConfig
from rft.plan.typed import to_study_config


def with_donor(folder: Path, files: dict[str, str], donor: str) -> StudyConfig:
    (folder / "model").mkdir()
    for name, defaults in files.items():
        (folder / "model" / f"{name}.yaml").write_text(f"defaults: [{defaults}, _self_]\nname: {name}\n")
    keys = [f"hydra.searchpath=[file://{folder}]", "model=nano-xs", "method=rft", f"union=[{donor}]", "study_name=x"]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        return to_study_config(compose("config", overrides=keys, return_hydra_config=True))


@pytest.mark.parametrize(
    ("files", "circle"),
    [
        ({"a": "b", "b": "a"}, "a -> b -> a"),
        ({"a": "b", "b": "c", "c": "b"}, "b -> c -> b"),
        ({"a": "nano-s, b", "b": "c.yaml", "c": "a.yaml"}, "a -> b -> c -> a"),
    ],
)
def test_files_that_name_each_other_are_refused(tmp_path: Path, files: dict[str, str], circle: str) -> None:
    with pytest.raises(ValueError, match=rf"{tmp_path}/model/.*has the default .*\({circle}\)"):
        with_donor(tmp_path, files, "a")


def test_a_file_that_two_defaults_stand_on_is_no_circle(tmp_path: Path) -> None:
    cfg = with_donor(tmp_path, {"a": "b, c", "b": "nano-s", "c": "nano-s"}, "a")
    assert cfg.donors["a"].name == "a"
    assert cfg.donors["a"].arch is not None
