"""Checks across the fields of a configuration; each message says what it got, what is allowed, what to do.

validate(cfg)      # ValueError: data_frac=1.5 is outside (0, 1]: ...
"""

from __future__ import annotations

from rft.config import DataKind, Method, ModelSource, StudyConfig
from rft.text.answers import RULES
from rft.text.prompts import TEMPLATES
from rft.text.selection import POLICIES

WORLD_METHODS = (Method.oracle_paths,)
SCHEDULES = ("cosine", "linear", "constant")
DTYPES = ("float32", "bfloat16")


def validate(cfg: StudyConfig) -> None:
    """Raise ValueError for the first setting that cannot work. Assigns nothing."""
    for problem in (*_range_problems(cfg), *_name_problems(cfg), *_combination_problems(cfg)):
        raise ValueError(problem)


def _range_problems(cfg: StudyConfig) -> list[str]:
    checks = [
        (
            0 < cfg.data_frac <= 1,
            f"data_frac={cfg.data_frac} is outside (0, 1]: it is a share of the training problems",
        ),
        (cfg.k >= 1, f"k={cfg.k} is below 1: it is the number of samples per question"),
        (
            cfg.temperature > 0,
            f"temperature={cfg.temperature} must be above 0: sampling at 0 gives one solution k times",
        ),
        (cfg.eval.vote_temperature > 0, f"eval.vote_temperature={cfg.eval.vote_temperature} must be above 0"),
        (cfg.eval.vote_k is None or cfg.eval.vote_k >= 1, f"eval.vote_k={cfg.eval.vote_k} must be null or at least 1"),
        (cfg.train.epochs > 0, f"train.epochs={cfg.train.epochs} must be above 0"),
        (cfg.train.batch_size >= 1, f"train.batch_size={cfg.train.batch_size} must be at least 1"),
        (
            cfg.train.lr is None or cfg.train.lr > 0,
            f"train.lr={cfg.train.lr} must be above 0, or null for the model's own",
        ),
        (0 < cfg.sampling.top_p <= 1, f"sampling.top_p={cfg.sampling.top_p} is outside (0, 1]"),
        (
            cfg.sampling.draws_per_shard >= 1,
            f"sampling.draws_per_shard={cfg.sampling.draws_per_shard} must be at least 1",
        ),
        (cfg.sampling.problems_per_shard >= 1, "sampling.problems_per_shard must be at least 1"),
        (cfg.runtime.threads >= 1, f"runtime.threads={cfg.runtime.threads} must be at least 1"),
    ]
    return [message for holds, message in checks if not holds]


def _name_problems(cfg: StudyConfig) -> list[str]:
    named = [
        ("data.prompt", cfg.model.prompt or cfg.data.prompt, TEMPLATES),
        ("data.rule", cfg.data.rule, RULES),
        ("select.policy", cfg.select.policy, POLICIES),
        ("train.schedule", cfg.train.schedule, SCHEDULES),
        ("sampling.dtype", cfg.sampling.dtype, DTYPES),
        ("select.equations", cfg.select.equations, ("annotated", "plain")),
    ]
    return [f"{key}={got} is not one of {', '.join(known)}" for key, got, known in named if got not in known]


def _combination_problems(cfg: StudyConfig) -> list[str]:
    problems = []
    if len(set(cfg.union)) != len(cfg.union):
        problems.append(f"union={cfg.union} names a model twice: list each donor once")
    if cfg.data.kind is not DataKind.world and cfg.method in WORLD_METHODS:
        problems.append(
            f"method={cfg.method.value} needs the embedded world, which alone can enumerate true paths: data=world-easy"
        )
    if cfg.data.kind is not DataKind.world and cfg.model.source is ModelSource.pretrain:
        problems.append(
            f"model={cfg.model.name} is pretrained on the embedded world's corpus: use it with data=world-easy, "
            "or choose an imported model"
        )
    if cfg.model.source is ModelSource.pretrain and (cfg.model.arch is None or cfg.model.pretrain is None):
        problems.append(f"model={cfg.model.name} has source=pretrain but lacks model.arch or model.pretrain")
    if cfg.pretrain_tokens is not None and cfg.model.source is ModelSource.imported:
        problems.append(
            f"pretrain_tokens={cfg.pretrain_tokens} is set, but model={cfg.model.name} is imported: it is pretrained already"
        )
    return problems
