"""The stages: what each kind is called, which function does it, and the version of its result.

A stage function has the signature `(config, inputs, out, context) -> stats`:
`config` is the plain dict that was hashed, `inputs` maps a role to the folders of finished stages, `out` is an empty folder,
`stats` is a JSON object with at least `tokens` and `flops` of the work done; the store keeps it in the stage's manifest.
Stages know nothing of caching, sweeps, Hydra or W&B. Raise `version` whenever a stage's output changes for the same config.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.config import RuntimeConfig

Inputs = Mapping[str, tuple[Path, ...]]
Stats = dict[str, Any]

CURVE_FILE = "curve.jsonl"
SAMPLES_FILE = "samples.jsonl.gz"


@dataclass(frozen=True)
class StageContext:
    """What a stage may use but what must not change its result."""

    runtime: RuntimeConfig
    hints: Mapping[str, Any]  # e.g. the path behind a content digest
    report: Callable[[float], None]  # share of the work done, in [0, 1]


StageFunction = Callable[[Mapping[str, Any], Inputs, Path, StageContext], Stats]


@dataclass(frozen=True)
class StageKind:
    """Where a kind of stage is implemented."""

    function: str  # 'package.module:name', imported when the stage runs
    version: int  # of its output

    def load(self) -> StageFunction:
        """The stage function."""
        module, _, name = self.function.partition(":")
        function: StageFunction = getattr(importlib.import_module(module), name)
        return function


STAGE_KINDS: dict[str, StageKind] = {
    "data": StageKind("rft.stages.data:make_data", 1),
    "corpus": StageKind("rft.stages.corpus:make_corpus", 1),
    "pretrain": StageKind("rft.stages.base:pretrain", 1),
    "import": StageKind("rft.stages.base:import_base", 1),
    "loss": StageKind("rft.stages.loss:measure_loss", 2),  # 2: tokenizer, bytes and text named in full
    "trainset": StageKind("rft.stages.trainset:make_trainset", 1),
    "finetune": StageKind("rft.stages.finetune:finetune", 1),
    "shard": StageKind("rft.stages.shard:sample_shard", 2),  # 2: draws in an order that says nothing of them
    "select": StageKind("rft.stages.select:select_paths", 2),  # 2: signs and exponents as they are meant
    "thin": StageKind("rft.stages.thin:thin_paths", 1),
    "evaluate": StageKind("rft.stages.evaluate:evaluate", 3),  # 3: truncated texts graded by their answer
    "perturb": StageKind("rft.stages.perturb:make_copy", 2),  # 2: no number that may convert a unit is changed
    "vote": StageKind("rft.stages.evaluate:vote", 3),  # 3: truncated texts graded by their answer
    "holdout": StageKind("rft.stages.holdout:hold_out", 1),
    "best": StageKind("rft.stages.best:choose_best", 1),
    "reverse": StageKind("rft.stages.query:make_reverse_set", 1),
    "relabel": StageKind("rft.stages.query:relabel", 3),  # 3: signs and exponents as they are meant
    "query_set": StageKind("rft.stages.query:make_query_set", 1),
    "revise_set": StageKind("rft.stages.revise:make_revise_set", 2),  # 2: truncated drafts by their answer
}


def only(inputs: Inputs, role: str) -> Path:
    """The one folder under a role."""
    folders = inputs[role]
    assert len(folders) == 1, f"{role} has {len(folders)} folders"
    return folders[0]
