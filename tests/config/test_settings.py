"""A setting holds exactly what can change a result: for every configuration field there is, whichever the method.

The fields are found by walking the configuration, so that one that is added later is covered without a change here.
"""

from __future__ import annotations

import dataclasses
import math
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from composing import FILES, FROM_FILES, composed, tiny

from rft.config import StudyConfig
from rft.config.fields import Leaf, Range, Role, leaves, range_problems
from rft.plan.cell import CellPlan, plan
from rft.plan.method import METHODS
from rft.plan.sources import ModelIdentity, Sources, resolve
from rft.stages.pretrain import Pretrain

CELLS = {
    "icl": ("method=icl",),
    "sft": ("method=sft", "data_frac=0.5"),
    "sft voted": ("method=sft", "eval.vote_k=4"),
    "sft per fraction": ("method=sft", "data_frac=0.5", "train.epoch_rule=per_fraction"),
    "sft with adapters": ("method=sft", "train.lora_rank=4"),
    "sft on validation": ("method=sft", "eval.split=validation"),
    "sft_best": ("method=sft_best",),
    "sft_best without a split": ("method=sft_best", "data.num_validation=0"),
    "sft tuned": ("method=sft", "tune.train.lr=[1e-3,3e-3]"),
    "sft tuned on its fraction": (
        "method=sft",
        "data_frac=0.5",
        "tune.train.epochs=[1,3]",
        "tune.per=fraction",
        "train.epoch_rule=per_fraction",
        "data.num_validation=0",
    ),
    "rft tuned": ("method=rft", "data_frac=0.5", "k=3", "tune.train.lr=[1e-3,3e-3]", "tune.train.epochs=[1,3]"),
    "rft": ("method=rft", "data_frac=0.5", "k=3"),
    "rft from all": ("method=rft", "data_frac=0.5", "sample_from=all"),
    "rft of a union": ("method=rft", "union=[nano-s,nano-xs]", "select.cap=2"),
    "rft of a thinned union": ("method=rft", "union=[nano-s,nano-m]", "select.thin=own"),
    "rft of chosen paths": ("method=rft", "k=3", "select.choose=shortest", "select.budget=5", "select.cap=2"),
    "rft of a chosen union": ("method=rft", "union=[nano-s,nano-xs]", "select.choose=likeliest"),
    "rft by difficulty": ("method=rft", "k=8", "sampling.allocate=by_difficulty", "allocation.rule=proportional"),
    "rft on part": ("method=rft", "train.examples_frac=0.5"),
    "sft_matched": ("method=sft_matched",),
    "oracle_paths": ("method=oracle_paths",),
    "fresh_human": ("method=fresh_human",),
    "self_query": ("method=self_query", "data_frac=0.5"),
    "self_query checked": ("method=self_query", "methods.self_query.consistent=true"),
    "self_revise": ("method=self_revise",),
    "self_revise in folds": ("method=self_revise", "methods.self_revise.num_folds=2"),
}
CELLS |= {name: (f"method={name}",) for name in METHODS if not any(f"method={name}" in cell for cell in CELLS.values())}
IMPORTED = (*FROM_FILES, "sampling.problems_per_shard=7")


def other_value(leaf: Leaf) -> Any:
    """Another value of the same kind, inside the declared range."""
    value, allowed = leaf.value, leaf.spec.range
    if isinstance(value, bool):
        return not value
    if isinstance(value, Enum):
        return next(member for member in type(value) if member is not value)
    if isinstance(value, list):
        return [*value, (value[0] + 1 if value and isinstance(value[0], int | float) else "x")]
    if isinstance(value, int | float):
        tries = [value + 1, value - 1, 0.25, value * 0.5, value * 0.75] if isinstance(value, float) else []
        tries = tries or [2 * value, value + 1, value - 1]  # a few more training problems are not always used
        tries = [number for number in tries if number != value]
        return next(number for number in tries if allowed is None or allowed.holds(number))
    if value is None:
        return 3 if allowed is not None else "x"
    return f"{value}x"


def changed(cfg: StudyConfig, path: str, value: Any) -> StudyConfig:
    """The configuration with one leaf replaced."""
    head, _, rest = path.partition(".")
    part = getattr(cfg, head)
    if isinstance(part, dict):
        name = next(key for key in part if rest.startswith(f"{key}."))
        return dataclasses.replace(cfg, **{head: part | {name: changed(part[name], rest[len(name) + 1 :], value)}})
    return dataclasses.replace(cfg, **{head: changed(part, rest, value) if rest else value})


def keys(cell: CellPlan) -> list[str]:
    return [stage.key for stage in cell.read.targets]


def settings_of(name: str) -> tuple[StudyConfig, Sources]:
    cfg = tiny("sampling.problems_per_shard=3", *CELLS[name])
    return cfg, resolve(cfg)


def planned(cfg: StudyConfig, sources: Sources) -> CellPlan | None:
    """None where the change cannot be planned: more than the data set holds, or another kind without its own parts."""
    try:
        return plan(cfg, sources)
    except (ValueError, KeyError, AssertionError, AttributeError):
        return None


@pytest.mark.parametrize("name", CELLS)
def test_a_field_is_in_the_setting_if_and_only_if_it_changes_a_stage(name: str):
    check_every_field(*settings_of(name))


@pytest.mark.parametrize("method", ["icl", "sft", "rft"])
def test_the_same_holds_of_imported_models_and_files(method: str):
    check_every_field(composed(*IMPORTED, f"method={method}", "k=8", "eval.vote_k=2", "eval.perturbed_seed=1"), FILES)


def check_every_field(cfg: StudyConfig, sources: Sources) -> None:
    before = plan(cfg, sources)
    seen: set[Role] = set()
    refused: list[str] = []
    for leaf in leaves(cfg):
        if leaf.path.endswith("model.name") or (leaf.path.startswith("donors.") and leaf.path.endswith(".name")):
            continue  # what was looked up is kept by these names: a test of their own
        after = planned(changed(cfg, leaf.path, other_value(leaf)), sources)
        if after is None:
            refused.append(leaf.path)
            continue
        seen.add(leaf.spec.role)
        where = f"{leaf.path}={leaf.value}"
        if leaf.spec.role is Role.result:
            assert (keys(before) != keys(after)) == (before.setting != after.setting), where
            assert before.seeds == after.seeds or before.setting != after.setting, where
        elif leaf.spec.role is Role.seed:
            assert before.setting == after.setting, where
            assert (keys(before) != keys(after)) == (before.seeds != after.seeds), where
        else:  # a name changes what a cell is called; how the work is done changes nothing
            assert (before.setting, before.seeds) == (after.setting, after.seeds), where
            assert leaf.spec.role is Role.name or keys(before) == keys(after), where
    assert seen == set(Role)
    alone = {"data.num_train", "data.eval_problems", "data_frac", "data.kind", "union"}  # tested by themselves
    alone |= {"model.arch", "model.pretrain", "data.world"}  # parts that are absent of an imported model
    alone |= {"method", "methods.sft_matched.to", "data.rule"}  # names, of which 'x' is none
    alone |= {"select.choose", "select.policy", "tune.train.lr", "tune.train.epochs", "data.train_mix"}
    assert {path for path in refused if not path.endswith(".source")} <= alone


@pytest.mark.parametrize("override", ["union=[]", "union=[nano-s]", "union=[nano-xs,nano-s]", "union=[nano-s,nano-m]"])
def test_other_donors_or_another_order_are_another_setting(override: str):
    """The order decides which of two equal paths is kept."""
    one, other = (tiny("method=rft", union, "k=2") for union in ("union=[nano-s,nano-xs]", override))
    assert plan(one, resolve(one)).setting != plan(other, resolve(other)).setting


@pytest.mark.parametrize("role", ["train", "test", "loss"])
def test_other_content_is_another_setting_wherever_it_lies(role: str):
    cfg = composed(*IMPORTED, "method=sft")
    moved = dataclasses.replace(FILES, data_paths={name: f"elsewhere/{name}" for name in FILES.data_paths})
    edited = dataclasses.replace(FILES, data_digest=FILES.data_digest | {role: "d9"})
    assert plan(cfg, moved).setting == plan(cfg, FILES).setting
    assert plan(cfg, edited).setting != plan(cfg, FILES).setting


def test_two_models_by_path_are_two_settings_and_a_renamed_one_is_not():
    cfg = composed(*IMPORTED, "method=sft")
    other = dataclasses.replace(FILES, models={"smollm2-135m": ModelIdentity("m2", "folder")})
    assert plan(cfg, other).setting != plan(cfg, FILES).setting
    renamed = changed(cfg, "model.name", "mine")
    sources = dataclasses.replace(FILES, models={"mine": ModelIdentity("m1", "f")}, engines={"mine": "ctranslate2"})
    assert plan(renamed, sources).setting == plan(cfg, FILES).setting
    assert plan(renamed, sources).names["model"] == "mine"


@pytest.mark.parametrize("name", CELLS)
def test_seeds_alone_tell_replicates_apart(name: str):
    cfg, sources = settings_of(name)
    one, other = plan(cfg, sources), plan(dataclasses.replace(cfg, seed=7, pretrain_seed=9), sources)
    assert one.setting == other.setting
    assert one.seeds != other.seeds
    assert one.read.base.key != other.read.base.key
    assert one.model_facts["base_setting"] == other.model_facts["base_setting"]


def test_a_draw_of_a_base_has_documents_of_its_own_and_old_keys_stay():
    cfg, sources = settings_of("sft")

    def base(**seeds: int) -> tuple[str, str, str]:
        cell = plan(dataclasses.replace(cfg, **seeds), sources)
        assert isinstance(cell.read.base, Pretrain)
        return cell.read.base.key, cell.read.base.corpus.key, cell.model_facts["base_setting"]

    first = base()
    assert "seed" not in plan(cfg, sources).read.base.corpus.identity()  # the corpus of before it could be drawn
    assert base(corpus_seed=0) == first  # two spellings of one base
    new = base(pretrain_seed=3)
    assert new[1] != first[1], "another draw read the same documents"
    old_text = base(pretrain_seed=3, corpus_seed=0)
    assert old_text[1] == first[1]
    assert len({first[0], new[0], old_text[0], base(corpus_seed=3)[0]}) == 4
    assert {first[2], new[2], old_text[2], base(corpus_seed=3)[2]} == {first[2]}


def test_a_default_and_its_value_written_out_are_one_setting():
    plain = plan(*settings_of("sft"))
    for override in ("train.lr=1e-3", "pretrain_tokens=8192", "model.prompt=world", "sampling.engine=ctranslate2"):
        cfg = tiny("sampling.problems_per_shard=3", *CELLS["sft"], override)
        assert plan(cfg, resolve(cfg)).setting == plain.setting, override


def test_every_number_has_a_range_declared_beside_it():
    for cfg in (tiny("method=rft", "union=[nano-s]"), composed(*IMPORTED)):
        numbers = [
            leaf for leaf in leaves(cfg) if isinstance(leaf.value, int | float) and not isinstance(leaf.value, bool)
        ]
        assert {leaf.path for leaf in numbers if leaf.spec.range is None} == set()


def test_every_number_is_refused_outside_its_range():
    cfg = tiny("method=rft", "union=[nano-s]")
    for leaf in leaves(cfg):
        allowed = leaf.spec.range
        if allowed is None:
            continue
        whole = isinstance(leaf.value, int)
        for bad in (*_beyond(allowed, whole=whole), math.nan, math.inf, -math.inf):
            value = [bad] if isinstance(leaf.value, list) else bad
            found = range_problems(changed(cfg, leaf.path, value))
            assert any(text.startswith(f"{leaf.path}=") for text in found), (leaf.path, bad)


def _beyond(allowed: Range, *, whole: bool) -> list[float]:
    step = 1 if whole else 0.001
    low = [allowed.low - step if allowed.holds_low else allowed.low] if math.isfinite(allowed.low) else []
    return low + ([allowed.high + step if allowed.holds_high else allowed.high] if math.isfinite(allowed.high) else [])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.num_train=0", r"data.num_train=0 is outside \[1, inf\)"),
        ("data.num_train=-1", r"data.num_train=-1 is outside \[1, inf\)"),
        ("data.num_shots=-1", r"data.num_shots=-1 is outside \[0, inf\)"),
        ("data.eval_problems=0", r"data.eval_problems=0 is outside \[1, inf\): test problems to score"),
        ("data.train_limit=-1", r"data.train_limit=-1 is outside \[1, inf\): rows to read"),
        ("select.tolerance=0", r"select.tolerance=0.0 is outside \(0, inf\): sides of an equation differ by less"),
        ("eval.vote_k=2000", r"eval.vote_k=2000 is outside \[1, 1000\]"),
        ("model.name=../x", "model.name='../x' is part of folder names"),
        ("data.name=/tmp/x", "data.name='/tmp/x' is part of folder names"),
    ],
)
def test_values_that_were_taken_for_something_else_are_refused(override: str, message: str):
    with pytest.raises(ValueError, match=message):
        tiny("method=sft", override)


def test_a_split_that_holds_nothing_is_refused_before_anything_runs():
    with pytest.raises(ValueError, match=r"eval.split=validation, but data.num_validation=0"):
        tiny("method=sft", "eval.split=validation", "data.num_validation=0")


@pytest.mark.parametrize("override", ["data.num_train=101", "data.eval_problems=51"])
def test_more_than_the_files_hold_is_refused(override: str):
    key = override.partition("=")[0]
    with pytest.raises(ValueError, match=f"{key}=.* is more than the .* that the data set holds"):
        plan(composed(*IMPORTED, "method=sft", override), FILES)


def test_planning_reads_no_path(tmp_path: Path):
    """A study that is moved is the same study."""
    cfg = composed(*IMPORTED, "method=rft")
    moved = dataclasses.replace(cfg, store=dataclasses.replace(cfg.store, root=str(tmp_path)))
    assert plan(moved, FILES).cell_key == plan(cfg, FILES).cell_key
