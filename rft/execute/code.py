"""The code that stages run: a digest kept with what each made, and what has changed since.

    behind(stage).digest                          # of the code that would run the stage today
    kept_parts(store, digest)                     # its definitions, for a digest that the store knows; else None
    for line in drift_lines(stages, store): ...   # finished stages that other code made than today's

A stage's code is what can be reached from its class (rft.infra.code), with the engines where it samples. It is no part of
the identity: a result stays right when its code is tidied, and who changes what it says raises the stage's `version`. So a
drift is told and never refused. Stages from before digests were kept count as unknown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rft.execute.made import Made
from rft.infra.code import Code, changed_parts, code_of
from rft.infra.digest import digest
from rft.infra.manifest import MANIFEST_FILE, CorruptError, read_manifest
from rft.infra.stage_store import StageStore
from rft.registry import foreign_source
from rft.stages.stage import Stage

CODE_FOLDER = ".code"  # below the store's root: a file a digest
# What every stage is and is given, and what is counted for who looks on: no result depends on it
BORDER = ("rft.stages.stage", "rft.stages.running")
SAMPLER = "rft.core.sampling.held:HeldSampler"
MOST_READ = 300  # manifests of each kind that are read for a drift
MOST_NAMED = 3  # definitions


def behind(stage: Stage[Any] | type[Stage[Any]]) -> Code | None:
    """The code of a stage as it stands today; None where no source is found."""
    kind = stage if isinstance(stage, type) else type(stage)
    roots = (f"{kind.__module__}:{kind.__qualname__}", *([SAMPLER] if kind.samples else []))
    found = code_of(roots, aside=BORDER, skipped=("run",))
    foreign = foreign_source(kind.__module__)
    if foreign is not None:  # a plug-in's source counts whole, as in its keys
        parts = {**found.parts, kind.__module__: foreign}
        found = Code(digest(parts), parts)
    return found if found.parts else None


def keep(code: Code | None, store: StageStore) -> str | None:
    """Note what a digest stands for in the store; returns the digest."""
    if code is None:
        return None
    name = _name(code.digest)
    if store.objects.read(name) is None:
        store.objects.put(name, json.dumps(dict(code.parts), indent=1).encode())
    return code.digest


def kept_parts(store: StageStore, code: str) -> dict[str, str] | None:
    """The definitions that a digest stands for; None where the store does not know it, or its note is damaged."""
    try:
        found = json.loads(store.objects.read(_name(code)) or b"")
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and digest(found) == code else None


def _name(code: str) -> str:
    return f"{CODE_FOLDER}/{code}.json"


@dataclass(frozen=True)
class Drift:
    """Finished stages of one kind that were made by other code than today's, or nobody knows by which."""

    kind: str
    num_read: int
    num_other: int
    num_unknown: int
    changed: Sequence[str]  # definitions 'module:name' that differ; empty where the store does not know

    @property
    def text(self) -> str:
        """In a line."""
        if not self.num_other:
            return f"{self.kind}: {self.num_unknown} of {self.num_read} do not say which code made them"
        more = f" and {len(self.changed) - MOST_NAMED} more" if len(self.changed) > MOST_NAMED else ""
        named = f" ({', '.join(self.changed[:MOST_NAMED])}{more})" if self.changed else ""
        return f"{self.kind}: {self.num_other} of {self.num_read} were made by other code than today's{named}"


def drifts(stages: Iterable[Stage[Any]], store: StageStore) -> list[Drift]:
    """By kind, of the stages that are finished; kinds whose stages were all made by today's code are left out."""
    by_kind: dict[type[Stage[Any]], list[str | None]] = {}
    for stage in stages:
        codes = by_kind.setdefault(type(stage), [])
        if len(codes) < MOST_READ and store.has(stage.kind, stage.key) and _is_here(stage, store):
            codes.append(code_that_made(stage, store))
    found = [_drift(kind, codes, store) for kind, codes in by_kind.items() if codes]
    return [one for one in found if one.num_other or one.num_unknown]


def _is_here(stage: Stage[Any], store: StageStore) -> bool:
    """Whether what it says of itself lies on this machine: of a bucket's stages those that were made here or brought."""
    return (store.folder(stage.kind, stage.key) / MANIFEST_FILE).is_file()


def code_that_made(stage: Stage[Any], store: StageStore) -> str | None:
    """The digest that a finished stage was stored with."""
    try:
        manifest = read_manifest(store.folder(stage.kind, stage.key))
    except CorruptError:
        return None
    return None if manifest is None else Made.of(manifest.meta).code


def _drift(kind: type[Stage[Any]], codes: Sequence[str | None], store: StageStore) -> Drift:
    now = behind(kind)
    others = [code for code in codes if code is not None and (now is None or code != now.digest)]
    changed: set[str] = set()
    for code in dict.fromkeys(others):
        before = kept_parts(store, code)
        changed |= set(changed_parts(before, now.parts)) if before is not None and now is not None else set()
    return Drift(kind.kind, len(codes), len(others), codes.count(None), sorted(changed))


def drift_lines(stages: Iterable[Stage[Any]], store: StageStore) -> list[str]:
    """What is said at the start of a sweep; nothing where nothing has changed."""
    found = drifts(stages, store)
    if not found:
        return []
    head = (
        "finished stages are reused although the code under them may differ (raise a stage's version where it matters):"
    )
    return [head, *(f"  {one.text}" for one in found)]
