"""Configurations for tests, composed from `conf/` as the command line does."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import open_dict

from hydra_plugins.rft_launchers.job_composing import JobComposer
from rft.conf_path import conf_folder
from rft.config import StudyConfig
from rft.plan.sources import ModelIdentity, Sources
from rft.plan.typed import to_study_config

# A whole study in seconds: other numbers, the same code path
TINY = (
    "data.num_train=16",
    "data.num_pool=64",
    "data.num_validation=8",
    "data.num_test=24",
    "data.eval_problems=16",
    "model.arch.width=16",
    "model.arch.num_layers=1",
    "model.arch.mlp_width=32",
    "model.pretrain.tokens=8192",
    "model.pretrain.batch_tokens=2048",
    "loss.max_tokens=1024",
    "train.epochs=2",
    "train.batch_size=8",
    "data.max_new_tokens=24",
    "sampling.problems_per_shard=8",
    "sampling.draws_per_shard=2",
    "tracking.mode=disabled",
)


FILES = Sources(  # of files and an imported model, as if looked up
    {"train": "d1", "test": "d2", "loss": "d3"},
    {"train": "train.jsonl", "test": "test.jsonl", "loss": "loss.txt"},
    100,
    50,
    {"smollm2-135m": ModelIdentity("m1", "folder")},
    {"smollm2-135m": "ctranslate2"},
)
FROM_FILES = ("model=smollm2-135m", "data=gsm8k", "model.path=folder")  # the configuration that they belong to


@cache
def _composer() -> JobComposer:
    """That of sweeps, which tests/config/test_job_composing.py holds to Hydra's own: a tenth of a second less each time."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        return JobComposer(loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN))


def composed(*overrides: str) -> StudyConfig:
    """The validated configuration of one cell."""
    if any(text.startswith(("hydra", "plugins")) for text in overrides):
        with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
            cfg = compose("config", overrides=list(overrides), return_hydra_config=True)
    else:
        cfg = _composer().compose(overrides)
    with open_dict(cfg):
        cfg.study_name = "test"
    return to_study_config(cfg)


def compute(cfg: StudyConfig, *, study: Path) -> Path:
    """Run one cell; returns its folder."""
    from rft.execute.cell import plan_cell, run_cell

    record = run_cell(plan_cell(cfg), study_folder=study)
    assert record is not None
    return record.parent


def with_tiny_donors(cfg: StudyConfig) -> StudyConfig:
    """The same with the other models of its union as small as its own, each of another budget: TINY says how large the cell's
    own model is, and a donor from its file takes half a minute."""
    for number, name in enumerate(sorted({*cfg.donors} - {cfg.model.name}), 1):
        tokens = cfg.model.pretrain.tokens + number * cfg.model.pretrain.batch_tokens
        pretrain = replace(cfg.model.pretrain, tokens=tokens)
        cfg.donors[name] = replace(cfg.donors[name], arch=cfg.model.arch, pretrain=pretrain)
    return cfg


def tiny(*overrides: str) -> StudyConfig:
    """The same at a size that computes in seconds: other numbers, the same code path."""
    return composed(*TINY, *overrides)
