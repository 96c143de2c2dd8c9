"""Configurations for tests, composed from `conf/` as the command line does."""

from __future__ import annotations

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import open_dict

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


def composed(*overrides: str) -> StudyConfig:
    """The validated configuration of one cell."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        cfg = compose("config", overrides=list(overrides))
    with open_dict(cfg):
        cfg.study_name = "test"
    return to_study_config(cfg)


def compute(cfg: StudyConfig, *, study: Path) -> Path:
    """Run one cell; returns its folder."""
    from rft.execute.cell import plan_cell, run_cell

    record = run_cell(plan_cell(cfg), study_folder=study)
    assert record is not None
    return record.parent


def tiny(*overrides: str) -> StudyConfig:
    """The same at a size that computes in seconds: other numbers, the same code path."""
    return composed(*TINY, *overrides)
