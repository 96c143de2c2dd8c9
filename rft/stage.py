"""What a stage is: its identity, its inputs, its estimated work; and what planning knows of the outside (`Sources`).

    Stage("select", "select k=4", {"k": 4}, {"shards": shards}, {}, Work()).key      # '3f2a...', the same on every machine

A key is the digest of the stage's kind, version, result-changing configuration and the KEYS of its inputs. Counts of
problems, sizes of models and expected yields serve the estimates of work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rft.config import Engine, ModelConfig, StudyConfig
from rft.infra.digest import digest
from rft.reading import unnoted
from rft.stages import STAGE_KINDS

ASSUMED_PATHS_K1 = (
    0.61  # new distinct paths per question at k = 1, and their growth with k: training sizes of the paper's
)
ASSUMED_PATHS_POWER = 0.47  # Table 5 (12K at k = 1, 47K at k = 100), used for estimates only
ASSUMED_CORRECT_FRAC = 0.6  # of sampled paths, where none is dropped: the paper's Table 1 has 0.53 to 0.72 up to 13B
BYTES_PER_SAMPLE_TOKEN = 2.0  # gzipped text
NUM_BYTES_SMALL = 20_000
MAX_DIGESTS = 200_000  # remembered in one process


@dataclass(frozen=True)
class Work:
    """Estimated size of a stage, before it runs."""

    tokens: float = 0.0
    flops: float = 0.0
    num_bytes: float = NUM_BYTES_SMALL
    assumed: bool = False  # rests on an assumed yield of distinct paths


@dataclass(frozen=True, eq=False)
class Stage:
    """One unit of computation, done once ever; compared by key."""

    kind: str  # a key of rft.stages.STAGE_KINDS
    label: str  # for people; not part of the identity
    config: Mapping[str, Any]  # everything that can change the result
    inputs: Mapping[str, tuple[Stage, ...]]
    hints: Mapping[str, Any]  # what must not change the result, e.g. the path behind a content digest
    work: Work
    model: str = ""  # name of the model it trains or runs, for people and for scheduling affinity
    key: str = field(init=False)

    def __post_init__(self) -> None:
        input_keys = {role: [stage.key for stage in stages] for role, stages in self.inputs.items()}
        identity = [self.kind, STAGE_KINDS[self.kind].version, self.config, input_keys]
        object.__setattr__(self, "key", _digest(identity))

    @property
    def key_without_seed(self) -> str:
        """The digest of all but its own seed: the same for every draw of a base model."""
        config = {name: value for name, value in self.config.items() if name != "seed"}
        inputs = {role: [stage.key for stage in stages] for role, stages in self.inputs.items()}
        return _digest([self.kind, STAGE_KINDS[self.kind].version, config, inputs])


_digests: dict[str, str] = {}  # by repr of the identity, which is ten times faster than the digest; cells share stages


def _digest(identity: list[Any]) -> str:
    text = repr(identity)
    if text not in _digests:
        if len(_digests) >= MAX_DIGESTS:
            _digests.clear()
        _digests[text] = digest(identity)
    return _digests[text]


@dataclass(frozen=True)
class ModelSize:
    """Counts that cost estimates need."""

    num_params: float
    num_params_non_embedding: float


@dataclass(frozen=True)
class ModelIdentity:
    """What an imported model is, resolved before planning."""

    digest: str  # of the folder's content, or 'hub:<id>@<revision>'
    path: str  # folder or hub id to load from


@dataclass(frozen=True)
class Sources:
    """What planning needs to know of the outside: contents by digest, row counts, engines. Filled by rft.sources."""

    data_digest: dict[str, str]  # role ('train', 'test', 'loss') -> content digest; empty for the embedded world
    data_paths: dict[str, str]  # role -> path
    num_pool: int  # training problems available, validation split taken off
    num_test: int
    models: dict[str, ModelIdentity]  # imported models by name
    engines: dict[str, Engine]  # resolved sampling engine by model name


def seed_of(cfg: StudyConfig, what: str) -> int:
    """`data_seed`, `train_seed` or `sample_seed` of a configuration whose defaults are filled in (rft.sources.filled_in)."""
    seed: int | None = getattr(cfg, what)
    assert seed is not None, f"{what} is filled in before anything is planned"
    return seed


def num_train(cfg: StudyConfig, sources: Sources) -> int:
    """Problems of the full human set (data_frac = 1)."""
    return sources.num_pool if cfg.data.num_train is None else cfg.data.num_train


def num_human(cfg: StudyConfig, sources: Sources) -> int:
    """Problems of the cell's human subset: data_frac of the full set, at least one."""
    return max(1, round(cfg.data_frac * num_train(cfg, sources)))


def model_size(model: ModelConfig, *, vocab: int = 250) -> ModelSize:
    """Parameters of a model: as configured for models that are elsewhere, computed from the shape for those made here."""
    model = unnoted(model)
    if model.arch is None:
        total = float(model.num_params or 0)
        return ModelSize(total, float(model.num_params_non_embedding or total))
    arch = model.arch
    kv_width = arch.width * arch.num_kv_heads // arch.num_heads
    per_layer = 2 * arch.width**2 + 2 * arch.width * kv_width + 3 * arch.width * arch.mlp_width
    body = float(arch.num_layers * per_layer)
    return ModelSize(body + vocab * arch.width, body)


def expected_kept(cfg: StudyConfig, sources: Sources) -> float:
    """Estimated number of selected paths of the cell's pool, from its donors' total of draws and the policy."""
    cfg = unnoted(cfg)
    draws = cfg.k * max(1, len(cfg.union))
    if cfg.select.policy == "no_dedup":
        return num_human(cfg, sources) * ASSUMED_CORRECT_FRAC * draws
    return num_human(cfg, sources) * ASSUMED_PATHS_K1 * draws**ASSUMED_PATHS_POWER
