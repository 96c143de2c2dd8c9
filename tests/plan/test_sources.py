"""What planning looks up for a cell is shared by cells that differ in nothing that it reads."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from composing import tiny

from rft.config import FREE, StudyConfig
from rft.plan.sources import LOOKED_UP, Resolver, resolve


class _Noting:
    """A configuration that notes which of its parts are read."""

    def __init__(self, cfg: StudyConfig) -> None:
        self.cfg = cfg
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.read.add(name)
        return getattr(self.cfg, name)


def test_nothing_is_read_that_does_not_count() -> None:
    noting = _Noting(tiny())
    resolve(noting)  # type: ignore[arg-type]
    properties = {name for name in noting.read if isinstance(getattr(StudyConfig, name, None), property)}
    assert {"model", "data", "sampling"} <= noting.read
    assert noting.read - properties <= set(LOOKED_UP)
    assert {one.name for one in fields(StudyConfig)} - set(LOOKED_UP) == FREE


@pytest.mark.parametrize("name", ["runtime", "plan", "sampling", "data"])
def test_another_part_is_looked_up_anew(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("rft.plan.sources.resolve", lambda cfg: [asked.append(cfg), len(asked)][1])
    cfg, resolver = tiny(), Resolver()
    assert resolver.resolve(cfg) == resolver.resolve(replace(cfg, k=7, seed=3)) == 1
    assert resolver.resolve(replace(cfg, **{name: replace(getattr(cfg, name))})) == 2
