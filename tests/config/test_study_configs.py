"""Typed configurations of a sweep's jobs are those of the long way, job by job."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode

from hydra_plugins.rft_launchers.job_composing import JobComposer
from hydra_plugins.rft_launchers.study_configs import StudyConfigs
from rft.conf_path import conf_folder
from rft.config import FREE, SEEDS, StudyConfig
from rft.plan.cell import plan
from rft.plan.sources import Resolver, resolve
from rft.plan.typed import to_study_config
from rft.plan.validate import validate


@contextmanager
def configs_of() -> Iterator[StudyConfigs]:
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        yield StudyConfigs(JobComposer(loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN)))


def test_every_job_is_what_the_long_way_gives_in_any_order():
    axes = (
        ["study_name=s"],
        ["model=nano-xs", "model=nano-s"],
        ["method=sft", "method=rft"],
        ["k=2", "k=16"],
        ["data_frac=0.5", "data_frac=1"],
        ["seed=0", "seed=3"],
        ["train_seed=null", "train_seed=5"],
        ["train.epochs=2", "temperature=1"],
    )
    jobs = [list(job) for job in itertools.product(*axes)]
    random.Random(0).shuffle(jobs)
    with configs_of() as configs:
        for number, job in enumerate(jobs[:48]):
            quick, long = configs.of(job), to_study_config(configs.composed(number, job))
            assert quick == long
            assert type(quick.data_frac) is type(long.data_frac) is float


def test_a_copy_shares_its_parts_and_its_sources_are_looked_up_once():
    with configs_of() as configs:
        one, other = configs.of(["seed=1", "method=sft"]), configs.of(["seed=2", "method=sft"])
        assert one.model is other.model
        resolver = Resolver()
        assert resolver.resolve(one) is resolver.resolve(other)
        assert resolver.resolve(one) == resolve(one)
        more = configs.of(["seed=2", "method=sft", "model=nano-s"])
        assert set(resolver.resolve(more).engines) == {"nano-s"}


@pytest.mark.parametrize(
    ("axes", "key", "values"),
    [
        ((["data_seed=0", "data_seed=${seed}"], ["seed=1", "seed=2", "seed=3"]), "data_seed", [0, 0, 0, 1, 2, 3]),
        ((["seed=1", "seed=2", "seed=3"], ["data_seed=0", "data_seed=${seed}"]), "data_seed", [0, 1, 0, 2, 0, 3]),
        ((["sample_seed=7", "sample_seed=${k}"], ["k=4", "k=8"]), "sample_seed", [7, 7, 4, 8]),
    ],
)
def test_a_free_value_made_of_another_is_each_jobs_own(axes: tuple[list[str], ...], key: str, values: list[int]):
    """Beside jobs that have a plain value there: the first of these makes the template of all."""
    with configs_of() as configs:
        found = [configs.of(["model=nano-xs", "method=sft", *job]) for job in itertools.product(*axes)]
    assert [getattr(one, key) for one in found] == values


def jobs_of(configs: StudyConfigs, *words: str) -> list[list[str]]:
    """The jobs of a command line's sweep, in the words in which Hydra's sweeper hands them to a launcher."""
    parsed = OverridesParser.create(config_loader=configs.composer.loader).parse_overrides(list(words))
    return [list(job) for batch in BasicSweeper.split_arguments(parsed, None) for job in batch]


REFERRING = (
    ("seed=${pretrain_seed}", "pretrain_seed=401,402,403,404"),
    ("data_seed=0,${seed}", "seed=1,2,3"),
    ("train_seed=1${seed}", "seed=1,2,3", "k=4,8"),
    ("sample_seed=${k}", "k=4,8,16", "method=rft"),
    ("train.max_steps=${k}", "k=4,8,16", "method=rft"),
    ("data.num_train='${oc.decode:\"10${k}\"}'", "k=4,8,16", "method=rft"),
    ("union=[nano-s,nano-xs]", "sample_seed=${seed},5", "seed=1,2,3", "method=rft"),
    ("select.cap=${k},3", "k=4,8", "seed=1,2", "method=rft"),
)


@pytest.mark.parametrize("words", [order for words in REFERRING for order in (words, words[::-1])])
def test_jobs_of_a_sweep_whose_values_refer_to_others_are_what_hydra_makes_of_them(words: tuple[str, ...]):
    """The sweeper escapes braces outside of quotes (`seed=$\\{pretrain_seed\\}`): a reference is not seen by its text."""
    with configs_of() as configs:
        jobs = jobs_of(configs, "model=nano-xs", "study_name=s", *words)
        assert any("$" in word for job in jobs for word in job)
        assert [configs.of(job) for job in jobs] == [_as_hydra_has_it(configs.composer, job) for job in jobs]


@pytest.mark.parametrize("seed", range(2))
def test_random_sweeps_are_what_hydra_makes_of_them(seed: int):
    rng = random.Random(seed)
    axes = (
        "seed=1,2,3",
        "pretrain_seed=4,${seed}",
        "data_seed=${seed}",
        "k=4,8",
        "train_seed=${k},5",
        "data_frac=0.5,1",
    )
    axes += (
        "train.max_steps=${k}",
        "model=nano-xs,nano-s",
        "method=sft,rft",
        "train.epochs=2,${k}",
        "temperature=0.9,1",
    )
    with configs_of() as configs:
        for _ in range(3):
            jobs = jobs_of(configs, "study_name=s", *rng.sample(axes, 6))
            for job in rng.sample(jobs, min(len(jobs), 12)):
                assert configs.of(job) == _as_hydra_has_it(configs.composer, job), job


def test_values_that_follow_from_others_follow_in_every_job():
    with configs_of() as configs:
        linked = ["+study=claims"]  # its file says seed: ${pretrain_seed}
        found = [configs.of([*linked, f"pretrain_seed={seed}"]).seed for seed in (3, 4, 5)]
    assert found == [3, 4, 5]


@pytest.mark.parametrize(
    "words",
    [
        ("train.max_steps=${seed}", "seed=1"),
        ("data.num_validation=${k}", "k=16"),
        ("k=4", "++k=2"),
        ("++k=2", "k=4"),
        ("train.max_steps=1", "++train.max_steps=2"),
        ("++train.max_steps=2", "train.max_steps=1"),
        ("model=nano-xs", "model.lr=0.5", "++model.lr=0.25"),
        ("train.epochs=3", "+hydra.job.env_set.A=b"),
    ],
)
def test_words_about_other_words_mean_what_hydra_makes_of_them(words: tuple[str, ...]):
    with configs_of() as configs:
        for seed in (1, 7, 3):
            job = [*words, "study_name=s", f"seed={seed}"]
            hydra = configs.composer.loader.load_sweep_config(configs.composer.master, job)
            assert configs.of(job, number=seed) == to_study_config(hydra)


WORDS = (
    *("model=nano-xs", "model=nano-s", "train=paper", "train=world", "prompt=plain", "method=sft", "method=rft"),
    *("k=2", "k=16", "++k=3", "data_frac=0.5", "seed=1", "seed=${k}", "train_seed=5", "train_seed=null", "++seed=7"),
    *("train.epochs=2", "++train.epochs=3", "train.lr=0.01", "train.max_steps=${seed}", "~train.lr", "model.lr=0.5"),
    *(
        "union=[nano-xs]",
        "union=[nano-xs,nano-s]",
        "select.cap=3",
        "+data.num_shots=2",
        "data.num_train=${data.num_test}",
    ),
    *("+hydra.job.env_set.A=b", "hydra.job.name=${method}", "temperature=0.9", "eval.vote_k=4", "sample_from=all"),
)


@pytest.mark.parametrize("seed", range(2))
def test_random_jobs_are_what_hydra_makes_of_them_or_are_refused_as_by_it(seed: int):
    rng = random.Random(seed)
    with configs_of() as configs:
        for number in range(16):
            job = ["study_name=s", *rng.sample(WORDS, rng.randint(1, 6))]
            ours = _outcome(configs.of, job, number=number)
            assert ours == _outcome(_as_hydra_has_it, configs.composer, job), job


def _as_hydra_has_it(composer: JobComposer, job: list[str]) -> StudyConfig:
    return to_study_config(composer.loader.load_sweep_config(composer.master, job))


def _outcome(compose: Callable[..., StudyConfig], *given: object, **more: object) -> object:
    """The configuration, or the kind of error that refuses the job."""
    try:
        return compose(*given, **more)
    except Exception as error:
        return type(error)


def test_a_value_of_another_type_is_refused_and_leaves_no_trace_in_later_jobs():
    with configs_of() as configs:
        found = [configs.of(["method=rft", word]) for word in ("k=4", "k=16", "train_seed=5", "train_seed=null")]
        with pytest.raises(ConfigCompositionException, match="four"):
            configs.of(["method=rft", "k=four"])
        later = configs.of(["method=rft", "k=64"])
    assert [(one.k, one.train_seed) for one in found[:2]] == [(4, None), (16, None)]
    assert [one.train_seed for one in found[2:]] == [5, None]
    assert (later.k, later.train_seed) == (64, None)


@pytest.mark.parametrize("bad", ["k=0", "data_frac=1.5", "method=stf", "temperature=0"])
def test_a_value_that_cannot_work_is_refused_in_later_jobs_too(bad: str):
    with configs_of() as configs:
        key = bad.partition("=")[0]
        configs.of(
            [{"k": "k=4", "data_frac": "data_frac=1", "method": "method=sft", "temperature": "temperature=1"}[key]]
        )
        with pytest.raises(ValueError, match=bad):
            configs.of([bad])


@pytest.mark.parametrize("bad", ["k=four", "seed=1.5", "kk=4"])
def test_a_value_of_another_type_is_refused_as_by_hydra(bad: str):
    with configs_of() as configs:
        configs.of(["k=4", "seed=1"])
        with pytest.raises(ConfigCompositionException):
            configs.of([bad, *(["k=4"] if bad.startswith("seed") else ["seed=1"])])


def test_the_last_of_two_values_counts():
    with configs_of() as configs:
        configs.of(["k=4"])
        assert configs.of(["k=4", "k=8"]).k == 8


class _Seedless(StudyConfig):
    """Refuses to be asked for a seed."""

    def __getattribute__(self, name: str) -> object:
        assert name not in SEEDS, f"{name} was read"
        return super().__getattribute__(name)


def test_what_is_free_is_of_the_top_level_and_seeds_are_not_looked_at_when_settings_are_checked():
    assert set(StudyConfig.__dataclass_fields__) >= FREE
    with configs_of() as configs:
        for method in ("sft", "rft", "sft_matched", "self_query", "expert_iteration"):
            cfg = configs.of([f"method={method}"])
            cfg.__class__ = _Seedless
            from rft.plan import validate as module

            module._method_problems(cfg)
            for check in (module._size_problems, module._combination_problems, module._allocation_problems):
                list(check(cfg))
            cfg.__class__ = StudyConfig
            validate(cfg)


def test_shards_of_a_pool_are_what_a_pool_of_one_shard_each_gives():
    """Variants of the first shard have the keys of shards that are made from nothing."""
    with configs_of() as configs:
        cfg = configs.of(["k=12"])
        cell = plan(cfg, resolve(cfg))
        shards = [stage for stage in cell.stages if stage.kind == "shard"]
        assert len({shard.key for shard in shards}) == len(shards) > 3
        for shard in shards:
            fields = {one.name: getattr(shard, one.name) for one in dataclasses.fields(shard) if one.init}
            fresh = type(shard)(**fields)
            assert (fresh.key, fresh.inputs) == (shard.key, shard.inputs)
