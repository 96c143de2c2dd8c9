"""Configuration of the user's own, beside the project's: found by choice, by `union`, and in suggestions."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from rft.conf_path import choices, conf_folder, search_folders
from rft.config import StudyConfig
from rft.config.overrides import check_overrides
from rft.plan.typed import composed_from, method_options, named_choices, to_study_config

KNOWN: dict[str, Any] = {"choices": named_choices(), "options": method_options()}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder as a user has it: a model that is nano-xs with another learning rate, and a study."""
    (tmp_path / "model").mkdir()
    theirs = (conf_folder() / "model" / "nano-xs.yaml").read_text()
    own = theirs.replace("name: nano-xs", "name: nano-own").replace("lr: 1.0e-3", "lr: 0.0123", 1)
    assert "0.0123" in own
    (tmp_path / "model" / "nano-own.yaml").write_text(own)
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "pilot.yaml").write_text("# @package _global_\nstudy_name: pilot\nk: 2\n")
    return tmp_path


def composed(*overrides: str, own: Path | None) -> DictConfig:
    """As in a job: with Hydra's own part, which says where the configuration came from."""
    search = [f"hydra.searchpath=[file://{own}]"] if own else []
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        return compose("config", overrides=[*search, *overrides, "study_name=x"], return_hydra_config=True)


def typed(*overrides: str, own: Path | None) -> StudyConfig:
    return to_study_config(composed(*overrides, own=own))


def test_a_union_finds_the_users_models(mine: Path):
    cfg = typed("union=[nano-own,nano-s]", own=mine)
    assert cfg.donors["nano-own"].lr == 0.0123
    assert cfg.donors["nano-s"].name == "nano-s"


def test_without_the_folder_the_model_is_unknown_and_the_flag_is_named():
    with pytest.raises(ValueError, match=r"unknown model 'nano-own'.*nano-xs.*--config-dir"):
        typed("union=[nano-own,nano-s]", own=None)


@pytest.mark.parametrize(
    ("hidden", "words"),
    [
        ("model/nano-s", ["model=nano-s"]),
        ("model/nano-s", ["model=nano-xs", "union=[nano-s,nano-xs]"]),
        ("data/svamp", ["model=smollm2-135m", "data=gsm8k", "eval.sets=[svamp]"]),
        ("prompt/alpaca", ["data.prompt=alpaca"]),
        ("study/methods", ["+study=methods"]),
        ("study/methods", ["+study=[methods]"]),
    ],
)
def test_a_users_file_behind_the_projects_is_refused_wherever_it_is_named(mine: Path, hidden: str, words: list[str]):
    """Hydra takes the project's, without a word; a copy of it is as good."""
    own = mine / f"{hidden}.yaml"
    own.parent.mkdir(exist_ok=True)
    shipped = (conf_folder() / f"{hidden}.yaml").read_text()
    own.write_text(f"{shipped}# mine\n")
    with pytest.raises(ValueError, match=f"{hidden.replace('/', '=')} would read .*: give your file another name"):
        typed(*words, own=mine)
    own.write_text(shipped)
    with suppress(FileNotFoundError):  # the data set's own files may not be here
        typed(*words, own=mine)


def test_folders_are_those_that_hydra_searched(mine: Path):
    assert composed_from(composed(own=mine)) == [conf_folder(), mine]
    assert composed_from(composed(own=None)) == [conf_folder()]


@pytest.mark.parametrize(
    "flags",
    [["--config-dir", "{}"], ["--config-dir={}"], ["-cd", "{}"], ["-m", "-cd={}"], ["hydra.searchpath=[file://{}]"]],
)
def test_words_of_the_users_folder_are_known(mine: Path, flags: list[str]):
    arguments = [flag.format(mine) for flag in flags]
    folders = search_folders([*arguments, "model=nano-own"])
    assert folders == [conf_folder(), mine]
    assert choices("model", folders)["nano-own"] == mine / "model" / "nano-own.yaml"
    assert (
        check_overrides(
            [*arguments, "model=nano-own,nano-s", "+study=pilot"],
            folders=folders,
            choices=named_choices(),
            options=method_options(),
        )
        is None
    )
    problem = check_overrides(
        [*arguments, "+study=pilto"], folders=folders, choices=named_choices(), options=method_options()
    )
    assert problem is not None
    assert "Did you mean pilot?" in problem


def test_without_a_flag_they_are_not(mine: Path):
    assert search_folders(["model=nano-own", "--config-dir"]) == [conf_folder()]
    assert (
        check_overrides(
            ["model=nano-own"], folders=search_folders([]), choices=named_choices(), options=method_options()
        )
        is not None
    )


def test_a_donors_file_with_defaults_is_read_as_hydra_composes_it(mine: Path):
    donor = typed("model=nano-xs", "union=[nano-s-half,nano-xs]", own=None).donors["nano-s-half"]
    alone = typed("model=nano-s-half", own=None).model
    assert donor.pretrain is not None
    assert (donor.arch, donor.pretrain) == (alone.arch, alone.pretrain)
    assert donor.pretrain.tokens == typed("model=nano-s", own=None).model.pretrain.tokens // 2
    (mine / "model" / "nano-own.yaml").write_text("defaults: [nano-gone, _self_]\nname: nano-own\n")
    with pytest.raises(ValueError, match=r"'nano-gone'.*another file of model/"):
        typed("union=[nano-own,nano-s]", own=mine)


@pytest.mark.parametrize("default", ["nano-s", "nano-s.yaml"])
def test_a_donors_file_may_stand_on_one_of_the_project(mine: Path, default: str):
    """Hydra finds it in another folder; as a donor's it had to lie beside the file."""
    text = f"defaults: [{default}, _self_]\nname: nano-own\npretrain: {{tokens: 123000}}\n"
    (mine / "model" / "nano-own.yaml").write_text(text)
    donor = typed("union=[nano-own,nano-xs]", own=mine).donors["nano-own"]
    alone = typed("model=nano-own", own=mine).model
    assert dataclasses.replace(alone, recipe=[]) == dataclasses.replace(donor, recipe=[])
    below = typed("model=nano-s", own=None).model
    assert donor.pretrain is not None
    assert (donor.arch, donor.pretrain.tokens) == (below.arch, 123_000)


def test_a_file_that_stands_on_itself_is_an_error(mine: Path):
    (mine / "model" / "nano-own.yaml").write_text("defaults: [nano-own]\nname: nano-own\n")
    with pytest.raises(ValueError, match=r"'nano-own'.*another file of model/"):
        typed("union=[nano-own,nano-s]", own=mine)
