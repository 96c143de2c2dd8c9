"""What planning must know of the outside world, looked up once: digests of user files, row counts, sampling engines.

sources = resolve(cfg)       # reads files, never the network
plan(cfg, sources)           # pure from here on; plans what `filled_in` says
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from rft.config import (
    FREE,
    SEEDS,
    DataConfig,
    DataKind,
    ModelConfig,
    ModelSource,
    SelectConfig,
    Split,
    StudyConfig,
    TrainConfig,
)
from rft.core.checkpoints import CONFIG_FILE, check_causal, check_folder, model_files
from rft.core.sampling.engines import AUTO, Choice, choose_engine
from rft.infra.devices import planned_kind
from rft.infra.digest import digest, file_digest
from rft.infra.hub import HUB_PREFIX, check_installed
from rft.plan.data_files import (
    REPOSITORY,
    SetSource,
    content_of,
    data_path,
    mix,
    mix_regrouped,
    no_copy,
    num_mixed,
    num_problems,
    refuse_leaks,
    regrouped,
)
from rft.plan.own_model import stored_dtype
from rft.plan.pool_files import PoolSource, pool_source
from rft.plan.sharing import Memo
from rft.stages.imported import model_digest
from rft.text.choosing import CHOOSERS, POLICY
from rft.text.selection import POLICIES

LOSS_TEXT = REPOSITORY / "rft" / "data" / "heldout.txt"  # public domain, see rft/data/README.md


@dataclass(frozen=True)
class ModelIdentity:
    """What an imported model is, resolved before planning."""

    digest: str  # of the folder's content, or 'hub:<id>@<revision>'
    path: str  # folder or hub id to load from
    dtype: str = ""  # that its weights are stored in; '' where they are not here


@dataclass(frozen=True)
class Sources:
    """What planning needs to know of the outside: contents by digest, row counts, engines."""

    data_digest: dict[str, str]  # role ('train', 'test', 'loss') -> content digest; empty for the embedded world
    data_paths: dict[str, str]  # role -> path
    num_pool: int  # training problems available, validation split taken off
    num_test: int
    models: dict[str, ModelIdentity]  # imported models by name
    engines: dict[str, str]  # resolved sampling engine by model name
    passed: Mapping[str, tuple[tuple[str, str], ...]] = field(
        default_factory=dict
    )  # engines that auto did not take: why
    reward_model: ModelIdentity | None = None  # where paths are chosen by one
    sets: Mapping[str, SetSource] = field(default_factory=dict)  # by name of a further test set
    pools: Mapping[str, PoolSource] = field(default_factory=dict)  # by name of a pool drawn elsewhere
    mix: tuple[SetSource, ...] = ()  # the training files, where there are several in proportions
    regrouped: frozenset[str] = frozenset()  # contents of which other rows are one problem than before
    no_copy: str = ""  # why the test problems have no numbers-changed copy, of a further set alone

    @property
    def mix_content(self) -> str:
        """The training files of a mixture as one content."""
        return digest([part.content for part in self.mix])

    def of_set(self, name: str) -> Sources:
        """The same with the test problems of a further set in place of the cell's own."""
        test = self.sets[name]
        contents = self.data_digest if test.content is None else {**self.data_digest, "test": test.content}
        paths = {**self.data_paths, "test": test.path}
        found = replace(self, data_digest=contents, data_paths=paths, num_test=test.num, sets={})
        return replace(found, no_copy=test.no_copy)


class Resolver:
    """`resolve` for many cells: those that share the parts of the configuration which it reads are looked up once."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, ...], tuple[list[object], Sources]] = {}  # with the parts, so that ids stay theirs

    def resolve(self, cfg: StudyConfig) -> Sources:
        """What `resolve` gives. Raises ValueError for a missing file or model folder."""
        parts = list(_LOOKED_UP(cfg))
        key = tuple(map(id, parts))  # the jobs of a sweep that differ in what is not looked up share these objects
        if key not in self._found:
            self._found[key] = (parts, resolve(cfg))
        return self._found[key][1]


# All of the configuration but what no file, model or engine depends on: whatever is added to it counts
LOOKED_UP = tuple(one.name for one in fields(StudyConfig) if one.name not in FREE)
_LOOKED_UP = attrgetter(*LOOKED_UP)


def resolve(cfg: StudyConfig) -> Sources:
    """Look up files, counts and engines. Raises ValueError for a missing file or model folder."""
    found = _resolved(cfg)
    return replace(found, pools={name: pool_source(name, pool, cfg.data) for name, pool in cfg.pools.items()})


def _resolved(cfg: StudyConfig) -> Sources:
    models = [cfg.model, *(cfg.donors[name] for name in cfg.models_of_union)]
    identities = {m.name: _model_identity(m) for m in models if m.source is ModelSource.imported}
    chosen = {m.name: _engine(cfg, m) for m in models}
    engines = {name: choice.engine for name, choice in chosen.items()}
    passed = {name: choice.passed for name, choice in chosen.items()}
    if cfg.data.kind is DataKind.world:
        assert cfg.data.num_pool is not None
        assert cfg.data.num_test is not None
        text = {"loss": str(cfg.data.loss_path or LOSS_TEXT)} if identities else {}  # for models not pretrained here
        contents = {role: content_of(path, role) for role, path in text.items()}
        sets = _test_sources(cfg, train=None)
        num_pool, num_test = cfg.data.num_pool, cfg.data.num_test
        reward, changed = _reward_model(cfg), _regrouped(cfg, {}, {}, sets)
        return Sources(contents, text, num_pool, num_test, identities, engines, passed, reward, sets, regrouped=changed)
    parts = mix(cfg.data)
    train = "" if parts else data_path(cfg.data.train_path, "train")
    test = data_path(cfg.data.test_path, "test")
    paths = {"train": train, "test": test, "loss": str(cfg.data.loss_path or LOSS_TEXT)}
    digests = {role: content_of(path, role) for role, path in paths.items() if path}
    digests |= {"train": digest([part.content for part in parts])} if parts else {}
    if not cfg.dry_run:
        check_installed([path for path in paths.values() if path.startswith(HUB_PREFIX)])
    refuse_leaks(cfg.data, cfg.data, train=train, test=test)
    num_rows = num_mixed(cfg.data) if parts else num_problems(cfg.data, train, split="train")
    num_test = num_problems(cfg.data, test, split="test")
    if cfg.eval.split is Split.test and (why := no_copy(cfg.data, test, seed=cfg.eval.perturbed_seed)):
        raise ValueError(f"data.test_path={test}: {why}; set eval.perturbed_seed=null")
    sets = _test_sources(cfg, train=train)
    num_pool, reward = num_rows - cfg.data.num_validation, _reward_model(cfg)
    found = Sources(digests, paths, num_pool, num_test, identities, engines, passed, reward, sets, mix=parts)
    return replace(found, regrouped=_regrouped(cfg, digests, paths, sets) | _mix_regrouped(cfg, found))


def _regrouped(
    cfg: StudyConfig, digests: Mapping[str, str], paths: Mapping[str, str], sets: Mapping[str, SetSource]
) -> frozenset[str]:
    """Contents of which other rows are one problem than before, mixtures aside."""
    own = [(cfg.data, digests[role], paths[role], role) for role in ("train", "test") if paths.get(role)]
    further = [(cfg.eval_sets[name], one.content, one.path, "test") for name, one in sets.items() if one.content]
    return frozenset(content for data, content, path, split in (*own, *further) if regrouped(data, path, split=split))


def _mix_regrouped(cfg: StudyConfig, sources: Sources) -> frozenset[str]:
    if not sources.mix:
        return frozenset()
    each, together = mix_regrouped(cfg.data)
    contents = [one.content for one, changed in zip(sources.mix, each, strict=True) if changed and one.content]
    return frozenset([*contents, *([sources.mix_content] if together else [])])


def _test_sources(cfg: StudyConfig, *, train: str | None) -> dict[str, SetSource]:
    """Of every further test set; `train`: the file that the cell trains on, None in the embedded world."""
    found = {}
    for name, data in cfg.eval_sets.items():
        try:
            found[name] = _test_source(cfg, data, train=train)
        except ValueError as error:
            message = str(error).replace("data.test_", f"eval_sets.{name}.test_")  # the keys of this set
            raise ValueError(f"test set {name} of eval.sets: {message}") from None
    return found


def _test_source(cfg: StudyConfig, data: DataConfig, *, train: str | None) -> SetSource:
    if data.kind is DataKind.world:
        assert data.num_test is not None
        return SetSource(None, "", data.num_test)
    path = data_path(data.test_path, "test")
    content = content_of(path, "test")
    if path.startswith(HUB_PREFIX) and not cfg.dry_run:
        check_installed([path])
    if train is not None:
        refuse_leaks(cfg.data, data, train=train, test=path)
    num = num_problems(data, path, split="test")
    return SetSource(content, path, num, no_copy=no_copy(data, path, seed=cfg.eval.perturbed_seed))


LORA_ALPHA_PER_RANK = 2  # train.lora_alpha where it is null


def without_seeds(cfg: StudyConfig) -> tuple[object, ...]:
    """All of the configuration but its seeds: what jobs that differ in their seeds alone share."""
    return _BUT_SEEDS(cfg)


_BUT_SEEDS = attrgetter(*(one.name for one in fields(StudyConfig) if one.name not in SEEDS))


def filled_in(cfg: StudyConfig, sources: Sources, *, memo: Memo) -> StudyConfig:
    """The configuration with every default that is kept elsewhere filled in where planning reads it.

    Two spellings of one cell become one: a model's own learning rate and the same rate in `train.lr`, `seed` and its three
    parts, a policy's own cap and the same in `select.cap`, no union and one of the cell's model alone. Raises ValueError for
    a size beyond what the files hold.
    """
    parts = memo.once("filled in", (sources, *_LOOKED_UP(cfg)), lambda: _filled_in_parts(cfg, sources))
    return cfg.with_values(
        data_seed=cfg.seed if cfg.data_seed is None else cfg.data_seed,
        train_seed=cfg.seed if cfg.train_seed is None else cfg.train_seed,
        sample_seed=cfg.seed if cfg.sample_seed is None else cfg.sample_seed,
        corpus_seed=None if cfg.corpus_seed == cfg.pretrain_seed else cfg.corpus_seed,
        **parts,
    )


def _filled_in_parts(cfg: StudyConfig, sources: Sources) -> dict[str, Any]:
    """All that is filled in but seeds, by key; it follows from no key that is free."""
    data, train = cfg.data, cfg.train
    models = {
        name: _filled_in_model(cfg, model, cfg.donor_train.get(name, train)) for name, model in cfg.donors.items()
    }
    own = _filled_in_model(cfg, cfg.model, train)
    sizes: dict[str, Any] = {
        "num_train": _size("data.num_train", data.num_train, sources.num_pool, "training problems"),
        "eval_problems": _size("data.eval_problems", data.eval_problems, sources.num_test, "test problems"),
    }
    sets = {name: _filled_in_set(name, one, cfg.model.prompt, sources) for name, one in cfg.eval_sets.items()}
    return {
        "model": own,
        "donors": models,
        "train": replace(_with_alpha(train), lr=own.lr),
        "donor_train": {name: replace(_with_alpha(one), lr=None) for name, one in cfg.donor_train.items()},
        "data": replace(data, prompt=own.prompt or data.prompt, **sizes),
        "pretrain_tokens": None,
        "union": [] if cfg.union == [cfg.model.name] else cfg.union,
        "select": _with_own_choices(cfg.select),
        "servers": {n: replace(one, prompt=one.prompt or data.prompt) for n, one in cfg.servers.items()},
        "eval_sets": sets,
    }


def _filled_in_set(name: str, data: DataConfig, prompt: str | None, sources: Sources) -> DataConfig:
    there = sources.sets[name].num
    count = _size(f"eval_sets.{name}.eval_problems", data.eval_problems, there, f"test problems of {name}")
    return replace(data, prompt=prompt or data.prompt, eval_problems=count)


def _with_own_choices(select: SelectConfig) -> SelectConfig:
    """Null for what the policy says itself, and for how ties are broken where it compares no paths."""
    policy = POLICIES[select.policy]
    is_own = policy.dedup != "farthest" or select.tie_break == policy.tie_break
    return replace(
        select,
        cap=None if select.cap == policy.cap else select.cap,
        tie_break=None if is_own else select.tie_break,
    )


def _with_alpha(train: TrainConfig) -> TrainConfig:
    alpha = LORA_ALPHA_PER_RANK * train.lora_rank if train.lora_rank and train.lora_alpha is None else train.lora_alpha
    return replace(train, lora_alpha=alpha if train.lora_rank else None)


def _filled_in_model(cfg: StudyConfig, model: ModelConfig, train: TrainConfig) -> ModelConfig:
    pretrain = model.pretrain
    if pretrain is not None and cfg.pretrain_tokens is not None:
        pretrain = replace(pretrain, tokens=cfg.pretrain_tokens)
    rate = model.lr if train.lr is None else train.lr
    return replace(model, pretrain=pretrain, lr=rate, prompt=model.prompt or cfg.data.prompt)


def _size(key: str, asked: int | None, there: int, what: str) -> int:
    if there < 1:
        raise ValueError(f"the data set holds no {what} (after data.num_validation is taken off): give more rows")
    if asked is not None and asked > there:
        raise ValueError(
            f"{key}={asked} is more than the {there:,} {what} that the data set holds: lower it, or set it to null"
        )
    return there if asked is None else asked


def _model_identity(model: ModelConfig) -> ModelIdentity:
    """A local folder by its content; a hub id by its name."""
    if model.path is None:
        raise ValueError(f"model {model.name} is imported but model.path is not set: give a local folder or a hub id")
    folder = Path(model.path).expanduser()
    if folder.is_dir():
        files = model_files(folder)
        if not any(file.suffix == ".safetensors" for file in files):
            raise ValueError(
                f"model.path={model.path} has no *.safetensors file: give a folder saved by save_pretrained "
                "(pickled weights are not loaded)"
            )
        if (folder / CONFIG_FILE).is_file():
            check_causal(folder)
        return ModelIdentity(model_digest(folder, of=file_digest), str(folder), stored_dtype(folder))
    if model.path.startswith((".", "/", "~")) or model.path.count("/") != 1:
        hint = " Run `make smollm2` first." if model.name.startswith("smollm2") else ""
        raise ValueError(f"model.path={model.path}: no such folder, and not a hub id (owner/name).{hint}")
    return ModelIdentity(f"{HUB_PREFIX}{model.path}", model.path)


def _reward_model(cfg: StudyConfig) -> ModelIdentity | None:
    """The reward model of a cell that chooses by one, by its content."""
    select = cfg.select
    if select.choose == POLICY or not CHOOSERS[select.choose].needs_reward_model:
        return None
    folder = Path(select.reward_model or "")
    if select.reward_model is None or not folder.is_dir():
        raise ValueError(f"select.reward_model={select.reward_model}: no such folder; give a local model folder")
    check_folder(folder)
    return ModelIdentity(model_digest(folder, of=file_digest), str(folder))


def _engine(cfg: StudyConfig, model: ModelConfig) -> Choice:
    """The engine that will run: of a sweep whose models `auto` would give several, the one for all of them."""
    own = choice_of(cfg, model)
    shared = cfg.plan.engine if cfg.sampling.engine == AUTO else None
    if shared is None or shared == own.engine:
        return own
    return Choice(
        shared, (*own.passed, (own.engine, "it does not serve all models of this sweep, which take one engine"))
    )


def choice_of(cfg: StudyConfig, model: ModelConfig) -> Choice:
    """The engine for a model alone, `auto` resolved from its architecture and the device."""
    device = planned_kind(cfg.runtime.device)
    if model.arch is not None:
        return _engine_of_llama(cfg.sampling.engine, device, model.arch.width // model.arch.num_heads)
    return choose_engine(cfg.sampling.engine, Path(model.path or "").expanduser(), device=device)


@functools.cache
def _engine_of_llama(engine: str, device: str, head: int) -> Choice:
    return choose_engine(engine, "LlamaForCausalLM", device=device, head=head)
