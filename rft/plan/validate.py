"""Checks of a configuration: ranges of numbers (declared in rft.config), names, and fields against one another.

Each message says what it got, what is allowed, what to do.

validate(cfg)      # ValueError: data_frac=1.5 is outside (0, 1]: a share of the training problems
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from importlib.util import find_spec

from rft.archive.reading import REFERENCES
from rft.config import Allocate, DataKind, ModelSource, Numerics, Optimizer, Split, StudyConfig, ThinTo
from rft.config.fields import range_problems
from rft.core.sampling.engines import AUTO, ENGINES
from rft.infra.devices import planned_kind
from rft.plan.allocate import nothing_left
from rft.plan.data_checks import data_problems
from rft.plan.eval_sets import set_problems
from rft.plan.method import METHODS
from rft.plan.servers import server_problems
from rft.registry import suggestion
from rft.text.answers import RULES
from rft.text.choosing import CHOOSERS, POLICY
from rft.text.dedup import TIE_BREAKS
from rft.text.path_keys import EQUATIONS
from rft.text.selection import POLICIES

TRACKING = ("offline", "online", "disabled")
SCHEDULES = ("cosine", "linear", "constant")
DTYPES = ("float32", "bfloat16")


def validate(cfg: StudyConfig) -> None:
    """Raise ValueError for the first setting that cannot work. Assigns nothing."""
    checks = (
        range_problems,
        server_problems,
        _size_problems,
        _name_problems,
        _combination_problems,
        _choice_problems,
        _pool_problems,
        _allocation_problems,
        _process_problems,
        data_problems,
        _method_problems,
        set_problems,
    )
    for problem in itertools.chain.from_iterable(check(cfg) for check in checks):
        raise ValueError(problem)


def _at_most(size: int | None, limit: int | None) -> bool:
    return size is None or limit is None or size <= limit


def _size_problems(cfg: StudyConfig) -> list[str]:
    """Sizes that do not fit one another; the range of each alone is declared beside its field."""
    world = cfg.data.world
    checks = [
        (
            world is None or world.min_steps <= world.max_steps,
            f"data.world.min_steps={world and world.min_steps} is more than data.world.max_steps={world and world.max_steps}",
        ),
        (
            _at_most(cfg.data.num_train, cfg.data.num_pool),
            f"data.num_train={cfg.data.num_train} is more than data.num_pool={cfg.data.num_pool}: raise the pool",
        ),
        (
            _at_most(cfg.data.eval_problems, cfg.data.num_test),
            f"data.eval_problems={cfg.data.eval_problems} is more than data.num_test={cfg.data.num_test}",
        ),
        (
            "" not in cfg.sampling.stop,
            f"sampling.stop={cfg.sampling.stop} has an empty text, which is found before any solution: leave it out",
        ),
        (
            cfg.eval.split is not Split.validation or cfg.data.num_validation > 0,
            "eval.split=validation, but data.num_validation=0 holds no problem out: set it, or score eval.split=test",
        ),
    ]
    return [message for holds, message in checks if not holds]


def _name_problems(cfg: StudyConfig) -> list[str]:
    problems = [] if cfg.store.root else ["store.root is empty: name a folder"]
    if re.fullmatch(r"[A-Za-z0-9_][\w.+-]*", cfg.study_name) is None:
        problems.append(
            f"study_name={cfg.study_name!r} names a folder: letters, digits, '_', '-', '.' and '+', no path"
        )
    if cfg.study_name == REFERENCES.name:
        problems.append(f"study_name={cfg.study_name} is the folder of committed archives: choose another name")
    sets = [("eval.sets", name) for name in cfg.eval_sets]
    for key, name in (("model.name", cfg.model.name), ("data.name", cfg.data.name), *sets):
        if re.fullmatch(r"[\w.+-]+", name) is None or name.strip(".") == "":
            problems.append(f"{key}={name!r} is part of folder names: letters, digits, '_', '-', '.' and '+', no path")
    named: list[tuple[str, str | None, Collection[str | None]]] = [
        ("method", cfg.method, METHODS),
        ("sampling.engine", cfg.sampling.engine, (AUTO, *ENGINES)),
        ("data.rule", cfg.data.rule, RULES),
        *((f"eval_sets.{name}.rule", one.rule, RULES) for name, one in cfg.eval_sets.items()),
        ("select.policy", cfg.select.policy, POLICIES),
        ("select.choose", cfg.select.choose, (POLICY, *CHOOSERS)),
        ("train.schedule", cfg.train.schedule, SCHEDULES),
        ("train.dtype", cfg.train.dtype, DTYPES),
        ("sampling.dtype", cfg.sampling.dtype, DTYPES),
        ("loss.dtype", cfg.loss.dtype, DTYPES),
        ("select.dtype", cfg.select.dtype, DTYPES),
        ("plan.compare", cfg.plan.compare, (None, "table4")),
        ("select.tie_break", cfg.select.tie_break, (None, *TIE_BREAKS)),
        ("select.equations", cfg.select.equations, EQUATIONS),
        ("tracking.mode", cfg.tracking.mode, TRACKING),
    ]
    return problems + [
        f"{key}={got} is not one of {', '.join(str(name or 'null') for name in known)}"
        + suggestion(str(got), [name for name in known if name])
        for key, got, known in named
        if got not in known
    ]


def _combination_problems(cfg: StudyConfig) -> list[str]:
    problems = []
    if len(set(cfg.union)) != len(cfg.union):
        problems.append(f"union={cfg.union} names a model twice: list each donor once")
    if cfg.data.kind is DataKind.world and cfg.eval.perturbed_seed is not None:
        problems.append(
            f"eval.perturbed_seed={cfg.eval.perturbed_seed} is for test sets that a model may have seen; the embedded "
            "world's is new to every model: set it to null"
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
    if cfg.numerics is Numerics.portable and cfg.runtime.threads != 1:
        problems.append(
            f"numerics=portable with runtime.threads={cfg.runtime.threads}: sums depend on the number of threads, so that "
            "portable bits need runtime.threads=1 (run more workers instead)"
        )
    if cfg.numerics is Numerics.portable and planned_kind(cfg.runtime.device) != "cpu":
        problems.append(
            f"numerics=portable with runtime.device={cfg.runtime.device}: portable bits are those of processors, and no two "
            "kinds of GPU sum alike; set runtime.device=cpu"
        )
    if cfg.train.lora_alpha is not None and cfg.train.lora_rank is None:
        problems.append(
            f"train.lora_alpha={cfg.train.lora_alpha} means nothing without train.lora_rank: set that, or leave both null"
        )
    return [*problems, *_pretraining_problems(cfg)]


def _choice_problems(cfg: StudyConfig) -> Iterator[str]:
    """Settings of a choice among distinct paths that contradict one another."""
    select = cfg.select
    if select.choose == POLICY:
        if select.budget is not None:
            yield (
                f"select.budget={select.budget} needs something that chooses: set select.choose (random, shortest, ...), "
                "or leave the budget null"
            )
        return
    if POLICIES[select.policy].dedup == "none":
        yield (
            f"select.choose={select.choose} chooses among distinct paths, and select.policy={select.policy} keeps equal "
            "ones too: use another policy"
        )
    if select.thin is not ThinTo.none:
        yield (
            f"select.choose={select.choose} and select.thin={select.thin.value} both cut paths down: set select.budget, "
            "and select.thin=none"
        )
    if CHOOSERS[select.choose].needs_reward_model and select.reward_model is None:
        yield f"select.choose={select.choose} needs select.reward_model: the folder of a sequence-classification model"


def _pool_problems(cfg: StudyConfig) -> Iterator[str]:
    """Pools drawn elsewhere that no union has, that share a model's name, or that would need the model that drew them."""
    for name in cfg.pools:
        if name not in cfg.union:
            yield f"pools.{name} is in no union: name it, as in union=[{name}], or leave it out"
        if name == cfg.model.name or re.fullmatch(r"[\w+-]+", name) is None:
            yield (
                f"pools.{name} is the donor's name of its draws: letters, digits, '_', '-' and '+', and not the name of the "
                "cell's model"
            )
    if cfg.pools and cfg.select.choose != POLICY:
        yield (
            f"select.choose={cfg.select.choose} ranks paths by the model that drew them, which pools.{next(iter(cfg.pools))} "
            "does not have: leave select.choose at policy"
        )
    if cfg.pools and cfg.sampling.allocate is not Allocate.uniform:
        yield (
            f"sampling.allocate={cfg.sampling.allocate.value} asks donors for more draws, which pools."
            f"{next(iter(cfg.pools))} cannot give: leave it at uniform"
        )


def _allocation_problems(cfg: StudyConfig) -> Iterator[str]:
    """Draws by difficulty that could not be dealt."""
    if cfg.sampling.allocate is Allocate.uniform:
        return
    if cfg.k <= cfg.sampling.draws_per_shard:
        yield nothing_left(cfg)
    if cfg.allocation.cap < cfg.k:
        yield (
            f"allocation.cap={cfg.allocation.cap} is less than k={cfg.k}: most draws to a question cannot be fewer than "
            "those to the average one"
        )


def _process_problems(cfg: StudyConfig) -> Iterator[str]:
    """Training in several processes."""
    runtime = cfg.runtime
    if runtime.shard and runtime.processes == 1:
        yield "runtime.shard=true spreads weights over processes, and runtime.processes=1 is one: raise it, or shard=false"
    if runtime.processes > 1 and find_spec("accelerate") is None:
        yield f"runtime.processes={runtime.processes} needs accelerate, which is not installed: pip install '.[accelerate]'"


def _pretraining_problems(cfg: StudyConfig) -> list[str]:
    """Pretraining of the cell's model and of its donors: budgets below one optimiser step, rates that nothing reads."""
    problems = []
    for model in (cfg.model, *cfg.donors.values()):
        if model.pretrain is None or model.source is not ModelSource.pretrain:
            continue
        if model.pretrain.batch_tokens % model.pretrain.sequence:
            problems.append(
                f"model.pretrain.batch_tokens={model.pretrain.batch_tokens} of model={model.name} is no multiple of "
                f"model.pretrain.sequence={model.pretrain.sequence}: an optimiser step holds whole sequences"
            )
        if (model.pretrain.optimizer is Optimizer.muon) != (model.pretrain.matrix_lr is not None):
            problems.append(
                f"model.pretrain.optimizer={model.pretrain.optimizer.value} of model={model.name} with "
                f"model.pretrain.matrix_lr={model.pretrain.matrix_lr}: muon needs a learning rate of its own for hidden "
                "matrices (0.03, say), adamw takes none"
            )
        budget = model.pretrain.tokens if cfg.pretrain_tokens is None else cfg.pretrain_tokens
        needed = max(model.pretrain.sequence, model.pretrain.batch_tokens)
        if budget < needed:
            key = "model.pretrain.tokens" if cfg.pretrain_tokens is None else "pretrain_tokens"
            problems.append(
                f"{key}={budget} is less than one optimiser step of model={model.name}: at least {needed} (a sequence has "
                f"{model.pretrain.sequence} tokens, a step {model.pretrain.batch_tokens})"
            )
    return problems


def _method_problems(cfg: StudyConfig) -> Iterator[str]:
    """What the cell's method cannot work with; names have been checked before."""
    method = METHODS[cfg.method]()
    if (cfg.tune.train.lr or cfg.tune.train.epochs) and cfg.eval.split is Split.validation:
        yield "tune chooses on the validation split, so cells cannot be scored there: set eval.split=test"
    if method.needs_world and cfg.data.kind is not DataKind.world:
        yield (f"method={cfg.method} needs the embedded world, which alone can enumerate true paths: data=world-easy")
    yield from method.problems(cfg)
