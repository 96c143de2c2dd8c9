"""Cells that are written out from the plan of their kind are those that are planned alone, field by field."""

from __future__ import annotations

import dataclasses
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from config.test_study_configs import configs_of
from plan.test_sharing import AXES, everything

from rft.config import SEEDS, StudyConfig
from rft.methods.sft import Sft
from rft.plan import replicates
from rft.plan.cell import CellPlan, plan
from rft.plan.method import METHODS, Trained
from rft.plan.replicates import PLACEHOLDERS, PLANNED_ALONE, Copies, Replicates, alike
from rft.plan.sharing import Memo
from rft.plan.sources import Resolver
from rft.stages.finetune import Finetune
from rft.stages.stage import Stage, Twins

METHOD_NAMES = sorted(METHODS)
LAST_POOLS = "methods.expert_iteration.pools=last"
SEED_LINES = (
    {"seed": "{0}"},
    {"seed": "{0}", "pretrain_seed": "{1}"},
    {"seed": "${{pretrain_seed}}", "pretrain_seed": "{0}"},
    {"seed": "{0}", "corpus_seed": "{3}", "train_seed": "{2}"},
    {"seed": "{0}", "corpus_seed": "{3}", "pretrain_seed": "{4}", "sample_seed": "{1}"},
    {"seed": "{0}", "data_seed": "{1}", "train_seed": "{0}", "sample_seed": "{2}", "pretrain_seed": "{3}"},
)


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bool]]:
    """Kinds are written out from their third cell on; a list of whether each kind could be."""
    found: list[bool] = []
    made = replicates._template

    def noted(*args: Any, **said: Any) -> Any:
        template = made(*args, **said)
        found.append(template is not None)
        return template

    monkeypatch.setattr(replicates, "PLANNED_ALONE", 2)
    monkeypatch.setattr(replicates, "_template", noted)
    return found


def random_sweep(rng: random.Random, *, kinds: int, replicates: int) -> list[StudyConfig]:
    """Kinds of cells at random, each with replicates, in any order."""
    jobs = []
    with configs_of() as configs:
        for number in range(kinds):
            of_kind = {key: rng.choice(values) for key, values in AXES.items() if key not in SEEDS}
            of_kind["method"] = METHOD_NAMES[number % len(METHOD_NAMES)]
            line = rng.choice(SEED_LINES)
            for _ in range(replicates):
                drawn = rng.choices([0, 1, 2, 3, 7, 100, 2**31 - 1, PLACEHOLDERS[1]], k=3) + rng.choices([0, 1, 7], k=2)
                seeds = {key: text.format(*drawn) for key, text in line.items()}
                words = [f"{key}={value}" for key, value in {**of_kind, **seeds}.items()]
                try:
                    jobs.append(configs.of([*words, "study_name=s"]))
                except ValueError:  # what the method refuses
                    break
    rng.shuffle(jobs)
    return jobs


@pytest.mark.parametrize("seed", range(2))
def test_random_replicates_are_those_that_are_planned_alone(seed: int, early: list[bool]):
    resolver, memo = Resolver(), Memo()
    for cfg in random_sweep(random.Random(seed), kinds=24, replicates=16):
        sources = resolver.resolve(cfg)
        together, alone = plan(cfg, sources, memo=memo), plan(cfg, sources)
        assert everything(together) == everything(alone)
        assert alike(together, alone, seen=set())
    assert sum(early) > 15
    assert all(early), "no method of this package reckons with seeds, so that all kinds are written out"


STUDIES: dict[str, list[str]] = {
    "further sets": ["method=rft", "eval.sets=[world-easy]", "k=4"],
    "union": ["method=rft", "union=[nano-xs,nano-s]", "sample_from=all", "k=4"],
    "tuned": ["method=rft", "tune.train.lr=[0.001,0.002]", "k=4"],
}


@pytest.mark.parametrize("words", STUDIES.values(), ids=STUDIES)
def test_replicates_of_larger_plans(words: list[str], early: list[bool]):
    resolver, memo = Resolver(), Memo()
    with configs_of() as configs:
        jobs = [configs.of([*words, "study_name=s", f"seed={n}", f"pretrain_seed={10 + n % 2}"]) for n in range(1, 9)]
    for cfg in jobs:
        sources = resolver.resolve(cfg)
        assert alike(plan(cfg, sources, memo=memo), plan(cfg, sources), seen=set())
    assert early
    assert all(early)


def test_replicates_share_what_does_not_depend_on_their_seeds_and_equal_stages_are_one_object():
    resolver, memo = Resolver(), Memo()
    with configs_of() as configs:
        jobs = [
            configs.of(["method=rft", f"k={k}", "study_name=s", f"seed={seed}", f"pretrain_seed={base}"])
            for k in (4, 8) for base in (1, 2) for seed in range(1, 16)
        ]  # fmt: skip
    cells = [plan(cfg, resolver.resolve(cfg), memo=memo) for cfg in jobs]
    late = [cell for place, cell in enumerate(cells) if place % 15 > PLANNED_ALONE]
    by_key: dict[str, set[int]] = {}
    for cell in late:
        for stage in cell.stages:
            by_key.setdefault(stage.key, set()).add(id(stage))
    assert {len(places) for places in by_key.values()} == {1}


@dataclass(frozen=True)
class Toy:
    """Stands for a plan."""

    values: tuple[Any, ...]
    seeds: dict[str, int]
    note: str = ""


def seen_of(kinds: Any, jobs: list[dict[str, int | None]]) -> tuple[list[Toy], list[Toy], int]:
    """Plans of jobs by the replicates and alone, and how often the replicates planned one the long way."""
    count = 0

    def alone(cfg: StudyConfig) -> Toy:
        nonlocal count
        count += 1
        found: Toy = kinds(cfg)
        return found

    with configs_of() as configs:
        base = configs.of(["study_name=s"])
    cfgs = [base.with_values(**dict.fromkeys(SEEDS, 5) | job) for job in jobs]
    copies, of_kind = Copies(), Replicates[Toy]()
    together = [of_kind.planned(cfg, alone=alone, copies=copies) for cfg in cfgs]
    return together, [kinds(cfg) for cfg in cfgs], count


MANY: list[dict[str, int | None]] = [{"seed": seed, "data_seed": seed % 7 + 1} for seed in range(2, 60)]


def test_seeds_are_written_where_they_stood():
    together, alone, count = seen_of(
        lambda cfg: Toy((cfg.seed, (cfg.data_seed, "x"), 5, 1.0), {"seed": cfg.seed, "data_seed": cfg.data_seed}), MANY
    )
    assert together == alone
    assert count < 40  # of 58; cells whose seeds are equal to others' are kinds of their own


@pytest.mark.parametrize(
    "kind",
    [
        lambda cfg: Toy((cfg.seed + 1,), {}),
        lambda cfg: Toy((cfg.seed % 2,), {}),
        lambda cfg: Toy((), {}, note=f"seed {cfg.seed}"),
        lambda cfg: Toy((float(cfg.seed),), {}),
        lambda cfg: Toy((), {"seed": 2 * cfg.seed}),
        lambda cfg: Toy(("abcdefghijk"[cfg.seed % 11],), {}),
        lambda cfg: Toy((list(range(100))[cfg.seed],), {}),  # IndexError at a placeholder
        lambda cfg: Toy((bytes([cfg.seed]),), {}),  # ValueError
        lambda cfg: Toy(((cfg.seed,) * (cfg.seed % 3),), {}),
        lambda cfg: Toy(([cfg.seed],), {}),  # where seeds are not looked for
    ],
)
def test_a_plan_that_does_something_else_with_a_seed_is_made_the_long_way(kind: Any):
    together, alone, count = seen_of(kind, MANY)
    assert together == alone
    assert count >= len(MANY)


@pytest.mark.parametrize(
    "kind",
    [
        lambda cfg: Toy((cfg.seed, "same" if cfg.seed == cfg.data_seed else "other"), {}),
        lambda cfg: Toy((cfg.seed, "none" if cfg.corpus_seed is None else cfg.corpus_seed), {}),
        lambda cfg: Toy((cfg.seed or "zero", cfg.data_seed or "zero"), {}),
        lambda cfg: Toy((cfg.seed, cfg.seed == cfg.pretrain_seed, cfg.data_seed == cfg.corpus_seed), {}),
    ],
)
def test_equal_absent_and_zero_seeds_are_kinds_of_their_own(kind: Any):
    rng = random.Random(0)
    jobs: list[dict[str, int | None]] = [
        {"seed": rng.randrange(9), "data_seed": rng.randrange(9), "corpus_seed": rng.choice([None, 1, 9])}
        for _ in range(800)
    ]
    together, alone, count = seen_of(kind, jobs)
    assert together == alone
    assert count < 700


@pytest.mark.parametrize("name", ["data_seed", "pretrain_seed", "corpus_seed"])
def test_a_seed_that_equals_another_for_the_first_time_after_many_is_a_kind_of_its_own(name: str):
    jobs: list[dict[str, int | None]] = [
        {"seed": seed, "data_seed": 5, "corpus_seed": 5} for seed in (*range(10, 40), 5)
    ]
    together, alone, count = seen_of(lambda cfg: Toy((cfg.seed, cfg.seed == getattr(cfg, name)), {}), jobs)
    assert together == alone
    assert count < 20


def test_a_constant_that_equals_a_placeholder_is_no_seed():
    together, alone, _ = seen_of(lambda cfg: Toy((cfg.seed, PLACEHOLDERS[0]), {}), MANY)
    assert together == alone


@pytest.mark.parametrize("method", ["own_sft", "sft_matched"])
def test_a_users_own_method_is_planned_the_long_way(method: str, early: list[bool], monkeypatch: pytest.MonkeyPatch):
    """Also where another method's option names it."""

    class Own(Sft):
        """Trains otherwise on small seeds, which no replicate before showed."""

        def plan(self, p: Any) -> Trained:
            assert p.train_seed < 100, "a placeholder"
            planned = super().plan(p)
            return planned if p.train_seed > 9 else dataclasses.replace(planned, steps_of=(planned.trainset,) * 2)

    monkeypatch.setitem(METHODS._things, "own_sft", Own)
    resolver, memo = Resolver(), Memo()
    with configs_of() as configs:
        base = configs.of(["method=sft", "methods.sft_matched.to=own_sft", "study_name=s", "k=2"])
    for seed in (*range(10, 20), 3, 4, 5):
        cfg = base.with_values(method=method, seed=seed)
        sources = resolver.resolve(cfg)
        assert alike(plan(cfg, sources, memo=memo), plan(cfg, sources), seen=set())
    assert not early


def test_a_plan_too_deep_to_be_copied_is_made_the_long_way(early: list[bool]):
    """Rounds of expert iteration rest on one another; copies go down with them, planning does not."""
    words = ["method=expert_iteration", "study_name=s", "k=2", "methods.expert_iteration.rounds=170"]
    resolver, memo, limit = Resolver(), Memo(), sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(1000)
        with configs_of() as configs:
            for seed in (1, 2, 3):
                cfg = configs.of([*words, f"seed={seed}", "methods.expert_iteration.train_from=last", LAST_POOLS])
                sources = resolver.resolve(cfg)
                assert plan(cfg, sources, memo=memo).cell_key == plan(cfg, sources).cell_key
    finally:
        sys.setrecursionlimit(limit)
    assert early == [False]


def test_a_percent_sign_in_an_identity_stays_one():
    with configs_of() as configs:
        cfg = configs.of(["study_name=s", "seed=2"])
    weights = plan(cfg, Resolver().resolve(cfg)).read.trained.weights
    assert isinstance(weights, Finetune)
    stage = dataclasses.replace(weights, prompt="100 % {0} %s")
    for seed in (0, 3):
        anew = dataclasses.replace(stage, seed=seed)
        assert Twins(stage, ["seed"]).of({"seed": seed}).key == anew.key


def stages_of_all_kinds() -> dict[str, Stage[Any]]:
    resolver, found = Resolver(), dict[str, Stage[Any]]()
    with configs_of() as configs:
        for method in METHOD_NAMES:
            words = [f"method={method}", "k=3", "study_name=s", "pretrain_seed=3", "eval.vote_k=4", "seed=2"]
            cell: CellPlan = plan(cfg := configs.of(words), resolver.resolve(cfg))
            found |= {one.kind: one for one in cell.stages}
    return found


@pytest.mark.parametrize(("kind", "stage"), stages_of_all_kinds().items())
def test_a_copy_of_a_stage_is_the_stage_made_anew(kind: str, stage: Stage[Any]):
    integers = [f.name for f in dataclasses.fields(stage) if f.init and type(getattr(stage, f.name)) is int]
    assert kind == stage.kind
    for names in ([], ["label"], *([name] for name in integers), integers):
        twins = Twins(stage, names)
        for number in (0, 1, 9):  # 0 and 1 are values at which fields that came later are left out
            changes: dict[str, Any] = {name: "%s %d\0" if name == "label" else number for name in names}
            anew, copy = dataclasses.replace(stage, **changes), twins.of(changes)
            assert (copy.key, type(copy), copy.label) == (anew.key, type(anew), anew.label)
            assert copy.identity() == anew.identity()
            assert [one.key for one in copy.inputs] == [one.key for one in anew.inputs]
