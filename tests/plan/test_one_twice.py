"""One source of draws under two names is no union: whoever draws, it is refused when the cell is planned."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from composing import composed, tiny

from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.stages.select import Select

ONE_FILE = r"a and b are one file under two names: .*raise k"
ONE_MODEL = r"are one model under two names: .*raise k"
HERE = ("+servers.a.base_url=http://localhost:8000/v1", "+servers.a.model=m")


def planned(*more: str) -> CellPlan:
    cfg = tiny("method=rft", "k=2", "union=[a,b]", *more)
    return plan(cfg, resolve(cfg))


def donors(cell: CellPlan) -> list[str]:
    (select,) = (stage for stage in cell.stages if isinstance(stage, Select))
    return [pool.donor for pool in select.pools]


def pool(path: Path, text: str) -> Path:
    path.write_text(json.dumps({"id": "w-1", "text": text}) + "\n")
    return path


@pytest.mark.parametrize("more", [(), ("+pools.b.order_seed=1",)])
def test_one_file_wherever_it_lies_and_however_its_draws_are_ordered(tmp_path: Path, more: tuple[str, ...]):
    """Two orders of a file's draws are two orders of the same draws."""
    first = pool(tmp_path / "a.jsonl", "3+4=7")
    for second in (first, shutil.copy(first, tmp_path / "moved.jsonl")):
        with pytest.raises(ValueError, match=ONE_FILE):
            planned(f"+pools.a.path={first}", f"+pools.b.path={second}", *more)
    other = pool(tmp_path / "b.jsonl", "4+3=7")
    assert donors(planned(f"+pools.a.path={first}", f"+pools.b.path={other}", *more)) == ["a", "b"]


@pytest.mark.parametrize(
    "second",
    [
        ("base_url=http://localhost:8000/v1/", "model=m"),
        ("base_url=http://localhost:8000/v1", "model=m", "price_completion=2", "retries=0", "concurrency=1"),
    ],
)
def test_one_model_of_a_server_however_its_address_is_written(second: tuple[str, ...]):
    with pytest.raises(ValueError, match=f"a and b {ONE_MODEL}"):
        planned(*HERE, *(f"+servers.b.{one}" for one in second))


def test_one_model_of_two_servers_that_are_said_to_hold_the_same_weights():
    there = ("+servers.b.base_url=http://elsewhere:9/v1", "+servers.b.model=m")
    assert donors(planned(*HERE, *there)) == ["a", "b"]
    with pytest.raises(ValueError, match=f"a and b {ONE_MODEL}"):
        planned(*HERE, *there, "+servers.a.weights=w", "+servers.b.weights=w")


@pytest.mark.parametrize("other", ["model=n", "model=m +servers.b.prompt=plain", "model=m +servers.b.weights=w"])
def test_what_is_asked_otherwise_is_another_donor(other: str):
    cell = planned(*HERE, "+servers.b.base_url=http://localhost:8000/v1", *f"+servers.b.{other}".split())
    assert donors(cell) == ["a", "b"]


def test_one_model_whose_draws_are_dealt_by_difficulty():
    cfg = composed(
        "method=rft", "model=nano-s", "union=[nano-s,nano-xs,nano-m]", "sampling.allocate=by_difficulty", "k=8",
        "sampling.draws_per_shard=2",
    )  # fmt: skip
    assert plan(cfg, resolve(cfg)).setting["union"] == ["nano-s", "nano-xs", "nano-m"]
    cfg.donors["nano-m"] = dataclasses.replace(cfg.donors["nano-xs"], name="nano-m")
    with pytest.raises(ValueError, match=f"nano-xs and nano-m {ONE_MODEL}"):
        plan(cfg, resolve(cfg))
