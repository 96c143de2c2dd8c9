"""A stage computed once more, beside the store, and its files compared with those that are kept.

    again = Again(rebuilder, scratch)
    list(again.findings(Named("select", key)))           # [same("computed again", "select 5f0c4a1e")]

On a like machine (processor, instruction set, device, threads, blocks, libraries) every file must be the same to the bit, but
for the times in a training curve. On another, numbers may differ by NUMBERS (relative) and at most TEXTS of a file's rows in
anything else; weights are not compared there, since training amplifies last bits.
"""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rft.check.finding import Finding, compared, unchecked
from rft.check.rebuild import Rebuilder, outside
from rft.check.stored import Named
from rft.config import RuntimeConfig
from rft.execute.made import Made
from rft.execute.stages import TRAINING_BLOCKS, StageRunner
from rft.infra.digest import content_digest
from rft.infra.manifest import MANIFEST_FILE, Manifest
from rft.records import CURVE_FILE, read_json, read_jsonl

AGAIN = "computed again"
NUMBERS = 0.01  # relative difference of numbers on another machine
TEXTS = 0.05  # share of rows that may differ there
TIME = "elapsed_s"  # in a training curve
NEVER_MINUTES = 1e9  # between checkpoints: none is kept
LIKE = ("cpu", "cpu_capability", "gpu", "platform", "numerics", "limits", "threads", "device", "blocks", "python")
LIBRARIES = ("torch", "ctranslate2", "vllm", "transformers", "tokenizers", "safetensors", "numpy", "rapidfuzz")
NEEDS_STORE = "it cannot be computed again from here"


class Again:
    """Computes stages of a store into a scratch folder."""

    def __init__(self, stages: Rebuilder, scratch: Path) -> None:
        self.stages, self.scratch = stages, scratch
        self._runners: dict[str, StageRunner] = {}

    def _runner(self, runtime: RuntimeConfig) -> StageRunner:
        """One for all stages that ran with these settings, so that a model is opened once."""
        return self._runners.setdefault(str(runtime), StageRunner(self.stages.store, runtime))

    def close(self) -> None:
        """Free what is held open."""
        for runner in self._runners.values():
            runner.close()

    def findings(self, one: Named, *, check: str = AGAIN) -> Iterator[Finding]:
        """Compute one stage and compare."""
        try:
            manifest, stage = self.stages.manifest(one.kind, one.key), self.stages.stage(one.kind, one.key)
            if why := outside(stage):
                yield unchecked(check, one.place, why)
                return
            out = self.scratch / f"{one.kind}-{one.key}"
            out.mkdir(parents=True)
            made = self._runner(_runtime(Made.of(manifest.meta).origin)).run(stage, out)
        except (ValueError, RuntimeError, OSError, ImportError) as error:
            yield unchecked(check, one.place, f"{NEEDS_STORE}: {error}")
            return
        unlike = unlike_machine(Made.of(manifest.meta).origin, made.origin)
        folder = self.stages.store.folder(one.kind, one.key)
        faults = itertools.chain(
            _facts_fault(manifest, made, exact=not unlike), file_faults(folder, out, manifest, exact=not unlike)
        )
        yield from compared(check, one.place, faults)
        if unlike and any(name.endswith(".safetensors") for name in manifest.files):
            yield unchecked(check, one.place, f"its weights: another machine ({', '.join(unlike)})")
        shutil.rmtree(out)


def unlike_machine(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """In what two origins differ that can change last bits: 'torch 2.11.0 -> 2.13.0'."""
    names = [(name, before.get(name), now.get(name)) for name in LIKE]
    versions = [one.get("versions", {}) for one in (before, now)]
    names += [(name, versions[0].get(name), versions[1].get(name)) for name in LIBRARIES]
    return [f"{name} {a} -> {b}" for name, a, b in names if a != b]


def _runtime(origin: Mapping[str, Any]) -> RuntimeConfig:
    """Execution settings as they were, as far as they are known."""
    usual = {"micro_batch_tokens": 8192, "packing": False, "sample_batch": 256, **TRAINING_BLOCKS}
    blocks = {**usual, **origin.get("blocks", {})}
    device = "auto" if str(origin.get("device", "cpu")).startswith("cuda") else "cpu"
    return RuntimeConfig(
        device=device,
        threads=int(origin.get("threads", 1)),
        gpu_memory_utilization=None,
        tensor_parallel=1,
        flops_per_s=1.0,
        checkpoint_minutes=NEVER_MINUTES,
        **blocks,
    )


def _facts_fault(manifest: Manifest, made: Made, *, exact: bool) -> Iterator[str]:
    kept = Made.of(manifest.meta)
    for name, a, b in (
        ("facts", kept.facts, made.facts),
        ("tokens", kept.tokens, made.tokens),
        ("FLOPs", kept.flops, made.flops),
    ):
        if not alike(a, b, tolerance=0.0 if exact else NUMBERS):
            yield f"its {name} are {a}, computed again {b}"


def file_faults(folder: Path, out: Path, manifest: Manifest, *, exact: bool) -> Iterator[str]:
    """Files that came out otherwise."""
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    for name in sorted(found ^ manifest.files.keys() - {MANIFEST_FILE}):
        yield f"{name} is {'new' if name in found else 'missing'}"
    for name in sorted(found & manifest.files.keys()):
        if content_digest(out / name) != manifest.files[name].digest:
            why = _difference(folder / name, out / name, exact=exact)
            if why:
                yield f"{name}: {why}"


def _difference(kept: Path, again: Path, *, exact: bool) -> str:
    """How two files of other content differ beyond what is allowed; '' where they do not."""
    tolerance = 0.0 if exact else NUMBERS
    if kept.name.endswith((".jsonl", ".jsonl.gz")):
        pairs = list(itertools.zip_longest(read_jsonl(kept), read_jsonl(again)))
        if kept.name == CURVE_FILE:
            pairs = [tuple({**row, TIME: 0} if row else row for row in pair) for pair in pairs]  # type: ignore[misc]
        bad = [pair for pair in pairs if not alike(*pair, tolerance=tolerance)]
        allowed = 0 if exact else TEXTS * len(pairs)
        return f"{len(bad)} of {len(pairs)} rows differ, first {_short(bad[0])}" if len(bad) > allowed else ""
    if kept.suffix == ".json":
        a, b = read_json(kept), read_json(again)
        return "" if alike(a, b, tolerance=tolerance) else _short((a, b))
    return "other content" if exact else ""


def alike(a: Any, b: Any, *, tolerance: float) -> bool:
    """Whether JSON values are equal but for a relative difference of numbers."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(alike(a[key], b[key], tolerance=tolerance) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(alike(x, y, tolerance=tolerance) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=tolerance, abs_tol=0.0)
    return bool(a == b)


def _short(pair: Any) -> str:
    text = " and ".join(str(one) for one in pair)
    return text if len(text) <= 200 else f"{text[:200]}..."
