"""The recipe of a model on a data set: who wins, what the plan says of it, and which stages it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from rft.conf_path import conf_folder
from rft.config import StudyConfig
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.plan.typed import to_study_config
from rft.stages.finetune import Finetune
from tests.composing import FILES, FROM_FILES, composed

BOTH = ("+model.recipes={gsm8k:{lr:3e-5,epochs:5}}", "+data.recipe={lr:4e-5,batch_size:7}")


def typed(*keys: str, own: Path) -> StudyConfig:
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        search = f"hydra.searchpath=[file://{own}]"
        return to_study_config(compose("config", overrides=[search, *keys, "study_name=x"], return_hydra_config=True))


def from_files(*keys: str) -> StudyConfig:
    return composed(*FROM_FILES, "method=sft", "train=paper", *(key.replace("+", "++", 1) for key in keys))


@pytest.mark.parametrize(
    ("keys", "lr", "epochs", "batch_size"),
    [
        ((), 2e-5, 3, 128),  # the train file
        (BOTH[1:], 4e-5, 3, 7),  # the data file above it
        (BOTH, 3e-5, 5, 7),  # the model's file for these data above that
        ((*BOTH, "train.lr=9e-5"), 9e-5, 5, 7),  # the command line above all
    ],
)
def test_who_says_it_last_wins(keys: tuple[str, ...], lr: float, epochs: float, batch_size: int) -> None:
    train = from_files(*keys).train
    assert (train.lr, train.epochs, train.batch_size) == (lr, epochs, batch_size)


def test_a_recipe_of_other_data_is_not_in_force() -> None:
    assert from_files("+model.recipes={svamp:{lr:3e-5}}").train == from_files("+model.recipes={}").train


def test_the_plan_says_where_each_value_is_from_and_what_was_set_aside() -> None:
    told = "\n".join(plan(from_files(*BOTH, "train.warmup_frac=0.1"), FILES).told)
    assert "recipe, the command line: warmup_frac 0.1" in told
    assert "the data file gsm8k (data.recipe): batch_size 7" in told
    assert "the model file smollm2-135m (model.recipes.gsm8k): epochs 5, lr 3e-05" in told
    assert "the train file paper: epoch_rule fixed" in told
    assert "lr 4e-05 of the data file gsm8k" in told
    nano = composed("model=nano-s", "train=paper", "method=sft")
    assert "set aside: lr 0.001 of the model file nano-s (the train file paper says 2e-05)" in "\n".join(
        plan(nano, resolve(nano)).told
    )
    alone = composed("model=nano-s", "method=sft")
    assert "recipe, the model file nano-s: lr 0.001" in "\n".join(plan(alone, resolve(alone)).told)


def test_a_study_file_stands_above_the_model_and_below_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    head = "# @package _global_\n"
    (tmp_path / "study" / "low.yaml").write_text(head + "train: {epochs: 11, lr: 1.0e-4}\n")
    (tmp_path / "study" / "top.yaml").write_text(head + "defaults: [low, _self_]\ntrain: {lr: 2.0e-4}\n")
    keys = ("+study=top", "data=gsm8k", "model=smollm2-135m", "++model.recipes={gsm8k:{lr:3e-5,epochs:5,batch_size:6}}")
    cfg = typed(*keys, own=tmp_path)
    assert (cfg.train.lr, cfg.train.epochs, cfg.train.batch_size) == (2e-4, 11, 6)
    assert "the study top: epochs 11, lr 0.0002" in cfg.model.recipe
    assert typed(*keys, "train.lr=7e-4", own=tmp_path).train.lr == 7e-4


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ("+study=a", {"a": "defaults: [b, _self_]"}),
        ("+study=a", {"a": "defaults: [b.yaml, _self_]"}),
        ("+study=a", {"a": "defaults: [/study/b, _self_]"}),
        ("+study=a", {"a": "defaults: [{/study: [b, c]}, _self_]", "c": "k: 3"}),
        ("+study=a", {"a": "defaults: [{optional deep: e}, _self_]", "deep/e": "train: {epochs: 11}"}),
        ("+study=deep/a", {"deep/a": "defaults: [/study/b, _self_]"}),
        ("+study=deep/a", {"deep/a": "train: {epochs: 11}"}),
        ("+study=[b,c]", {"c": "k: 3"}),
        ("+study=[c,b]", {"c": "k: 3"}),
        ("+mine=d", {"../mine/d": "train: {epochs: 11}"}),
    ],
)
def test_a_study_is_known_however_it_is_named(tmp_path: Path, words: str, files: dict[str, str]) -> None:
    for name, text in {"b": "train: {epochs: 11}", **files}.items():
        path = tmp_path / "study" / f"{name}.yaml"
        (tmp_path / "study").mkdir(exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# @package _global_\n{text}\n")
    cfg = typed(words, "++data.recipe={epochs:7}", own=tmp_path)
    assert cfg.train.epochs == 11
    assert any(line.endswith("epochs 11") for line in cfg.model.recipe)


def test_an_own_file_that_has_a_shipped_name_is_refused_and_a_copy_is_not(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    shipped = (conf_folder() / "model" / "nano-s.yaml").read_text()
    own = tmp_path / "model" / "nano-s.yaml"
    own.write_text(shipped)
    assert typed("model=nano-s", own=tmp_path).model.name == "nano-s"
    own.write_text(shipped.replace("lr: 0.001", "lr: 0.009").replace("lr: 1.0e-3", "lr: 9.0e-3") + "\n")
    with pytest.raises(ValueError, match=r"model=nano-s would read .*: give your file another name"):
        typed("model=nano-s", own=tmp_path)
    with pytest.raises(ValueError, match=r"model=nano-s would read"):
        typed("model=nano-xs", "method=rft", "union=[nano-s,nano-xs]", "k=2", own=tmp_path)
    assert typed("model=nano-xs", own=tmp_path).model.name == "nano-xs"


def test_a_donor_has_the_recipe_of_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    theirs = (conf_folder() / "model" / "nano-s.yaml").read_text().replace("name: nano-s", "name: mine")
    (tmp_path / "model" / "mine.yaml").write_text(theirs + "recipes:\n  world-easy: {epochs: 2, lr: 0.005}\n")
    cell = ("model=nano-xs", "method=rft", "union=[mine,nano-s]", "k=2")
    cfg = typed(*cell, own=tmp_path)
    found = {one.model: one.recipe for one in plan(cfg, resolve(cfg)).stages if isinstance(one, Finetune)}
    assert (found["mine"].epochs, found["mine"].lr) == (2, 0.005)
    assert (found["nano-s"].epochs, found["nano-s"].lr) == (8, 0.001)
    assert found["nano-xs"].epochs == 8


def test_a_recipe_in_a_file_and_on_the_command_line_are_one_cell() -> None:
    one, other = from_files("+model.recipes={gsm8k:{lr:3e-5}}"), from_files("+model.recipes={}", "train.lr=3e-5")
    assert plan(one, FILES).cell_key == plan(other, FILES).cell_key


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("+data.recipe={rate:1}", r"data.recipe of gsm8k is .*give keys of the recipe, which are batch_size"),
        ("+model.recipes={gsm8k:{epochs:many}}", "model.recipes.gsm8k of smollm2-135m"),
        ("+model.recipes={gsm8k:{lr:-1}}", r"train.lr=-1.0 is outside \(0, inf\)"),
    ],
)
def test_a_recipe_that_cannot_work_is_named(key: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_files(key)


@pytest.mark.parametrize(
    ("text", "words", "epochs", "by"),
    [
        ("defaults: [config, _self_]\ntrain: {epochs: 9}", (), 9, "the configuration mine"),
        ("defaults: [base, _self_]", (), 5, "the configuration mine"),
        ("defaults: [base, _self_]\ntrain: {epochs: 9}", (), 9, "the configuration mine"),
        ("defaults: [config, _self_]\ntrain: {lr: 0.5}", (), 7, "the data file world-easy (data.recipe)"),
        ("defaults: [config, _self_]\ntrain: {epochs: 9}", ("+study=low",), 11, "the study low"),
        ("defaults: [config, _self_]\ntrain: {epochs: 9}", ("train.epochs=3",), 3, "the command line"),
        ("defaults: [config, {study: low}, _self_]\ntrain: {lr: 0.5}", (), 11, "the study low"),
        (
            "defaults: [config, {study: low}, _self_]\ntrain: {lr: 0.5}",
            ("study=none",),
            7,
            "the data file world-easy (data.recipe)",
        ),
    ],
)
def test_a_configuration_of_ones_own_stands_between_the_models_file_and_the_study(
    tmp_path: Path, text: str, words: tuple[str, ...], epochs: float, by: str
) -> None:
    """As `--config-name mine`: what Hydra composes is in force, and the plan says who gave it."""
    (tmp_path / "study").mkdir()
    (tmp_path / "mine.yaml").write_text(f"{text}\n")
    (tmp_path / "base.yaml").write_text("defaults: [config, _self_]\ntrain: {epochs: 5}\n")
    (tmp_path / "study" / "low.yaml").write_text("# @package _global_\ntrain: {epochs: 11}\n")
    (tmp_path / "study" / "none.yaml").write_text("# @package _global_\nk: 3\n")
    search = f"hydra.searchpath=[file://{conf_folder()}]"
    keys = [search, "++data.recipe={epochs:7}", *words, "study_name=x"]
    with initialize_config_dir(version_base="1.3", config_dir=str(tmp_path)):
        cfg = to_study_config(compose("mine", overrides=keys, return_hydra_config=True))
    assert cfg.train.epochs == epochs
    (line,) = [line for line in cfg.model.recipe if f"epochs {epochs}" in line.split("set aside")[0]]
    assert line.startswith(f"{by}: ")
