"""A prompt of one's own in a plan: known by its content, in training, sampling and scoring alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir

from rft.conf_path import conf_folder
from rft.plan.cell import CellPlan, plan
from rft.plan.typed import to_study_config
from tests.composing import FILES, FROM_FILES

TEXT = 'template: "Q: {question}\\nA:"\nlead: " "\nstop: ["\\nQ:"]\n'


def planned(own: Path, *overrides: str) -> CellPlan:
    search = f"hydra.searchpath=[file://{own}]"
    keys = [search, *FROM_FILES, "method=rft", "study_name=x", *overrides]
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        cfg = to_study_config(compose("config", overrides=keys, return_hydra_config=True))
    return plan(cfg, FILES)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "prompt").mkdir()
    (tmp_path / "prompt" / "mine.yaml").write_text(TEXT)
    (tmp_path / "prompt" / "twin.yaml").write_text(TEXT)
    (tmp_path / "prompt" / "other.yaml").write_text(TEXT.replace("Q: {", "Question {"))
    return tmp_path


def keys_by_kind(cell: CellPlan) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for stage in cell.stages:
        found.setdefault(stage.kind, set()).add(stage.key)
    return found


def test_an_own_prompt_is_known_by_its_content(mine: Path) -> None:
    one, twin, other, plain = (
        keys_by_kind(planned(mine, f"data.prompt={n}")) for n in ("mine", "twin", "other", "plain")
    )
    assert one == twin
    for kind in ("finetune", "shard", "select", "trainset", "evaluate"):
        if kind in one:
            assert not one[kind] & other[kind]
            assert not one[kind] & plain[kind]
    assert one["import"] == plain["import"]
    settings = {name: planned(mine, f"data.prompt={name}").setting for name in ("mine", "other", "plain")}
    assert settings["mine"]["data.prompt_content"] != settings["other"]["data.prompt_content"]
    assert "data.prompt_content" not in settings["plain"]


def test_all_that_asks_takes_the_own_prompt(mine: Path) -> None:
    cell = planned(mine, "data.prompt=mine", "eval.vote_k=2")
    asking = [stage for stage in cell.stages if hasattr(stage, "generation")]
    assert {stage.kind for stage in asking} >= {"shard", "evaluate"}
    stages: list[Any] = [*(stage.generation for stage in asking), *(s for s in cell.stages if s.kind == "finetune")]
    assert {one.own_template.name for one in stages} == {"mine"}
    assert cell.read.measured.evaluate.generation.stop_strings == ["\nQ:"]


def test_unknown_prompts_and_methods_without_a_wording_are_refused(mine: Path) -> None:
    with pytest.raises(ValueError, match=r"data.prompt=mime is not one of .*did you mean mine.*--config-dir"):
        planned(mine, "data.prompt=mime")
    with pytest.raises(ValueError, match=r"no wording for data\.prompt=mine"):
        planned(mine, "data.prompt=mine", "method=self_query")
