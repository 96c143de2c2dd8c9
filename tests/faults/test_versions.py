"""One store for two versions of the code and two kinds of machine, at the same time: each stage is made once for all who want
the same, what differs lies apart, and every record says where and by which code its stages were made.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from composing import TINY
from faults.sweeps import Sweep, Undisturbed

from rft.check.finding import Verdict
from rft.check.verify import Asked, verify
from rft.infra.store import Store
from rft.records import read_json

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[2]
# A process with another version of selection, and on a processor of another name
OTHER = """
import json, sys
from rft.infra import origin
from rft.stages.select import Select
cpu, version, study, words = sys.argv[1], int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
origin.cpu_model = lambda: cpu
Select.version = version or Select.version
from pathlib import Path
from composing import compute, composed
for method in ("sft", "rft"):
    compute(composed(*words, f"method={method}"), study=Path(study))
"""


def started(folder: Path, name: str, *, version: int) -> subprocess.Popen[str]:
    words = [*TINY, "k=2", "eval.vote_k=2", f"store.root={folder / 'store'}"]
    command = [sys.executable, "-c", OTHER, name, str(version), str(folder / name), json.dumps(words)]
    paths = f"{REPOSITORY / 'tests'}:{REPOSITORY}"
    environment = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def records(folder: Path) -> dict[str, dict[str, Any]]:
    found = [read_json(path) for path in sorted(folder.glob("*/record.json"))]
    return {record["setting"]["method"]: record for record in found}


def keys(record: dict[str, Any], kind: str) -> set[str]:
    return {row["key"] for row in record["stages"] if row["name"] == kind}


def test_two_versions_and_two_machines_share_what_is_equal_and_nothing_else(tmp_path: Path):
    children = [started(tmp_path, "one", version=0), started(tmp_path, "other", version=99)]
    for child in children:
        _, said = child.communicate(timeout=600)
        assert child.returncode == 0, said
    one, other = records(tmp_path / "one"), records(tmp_path / "other")
    assert one["sft"]["scores"] == other["sft"]["scores"]
    assert one["sft"]["cell_key"] == other["sft"]["cell_key"]
    assert one["rft"]["cell_key"] != other["rft"]["cell_key"]
    assert len(keys(one["rft"], "shard") & keys(other["rft"], "shard")) == 2  # the pool; the votes are of other models
    assert keys(one["rft"], "select").isdisjoint(keys(other["rft"], "select"))
    made = [json.loads(line) for line in (tmp_path / "store" / "timings.jsonl").read_text().splitlines()]
    assert len({row["key"] for row in made}) == len(made)  # none twice, whoever came first
    store = Store(tmp_path / "store")
    for record in (*one.values(), *other.values()):
        origins = record["provenance"]["origins"]
        assert {origin["cpu"] for origin in origins} <= {"one", "other"}
        for row in record["stages"]:
            manifest = store.manifest(row["name"], row["key"])
            assert manifest is not None
            assert manifest.meta["origin"] == origins[row["origin"]]
    findings = verify(tmp_path / "one", Asked(str(tmp_path / "store")))
    assert not [found for found in findings if found.verdict is Verdict.DIFFERS]


def untouched(sweep: Sweep) -> tuple[bytes, list[int]]:
    """What a computation, and a record that is written, would change."""
    records = sorted(sweep.study.glob("*/record.json"))
    return (sweep.store / "timings.jsonl").read_bytes(), [path.stat().st_mtime_ns for path in records]


def test_a_study_and_a_store_that_were_moved_are_found_finished(tmp_path: Path, undisturbed: Undisturbed):
    sweep = Sweep(tmp_path / "here", forked=True)
    sweep.folder.mkdir()
    sweep.finish()
    sweep.folder.rename(tmp_path / "there")
    moved = Sweep(tmp_path / "there", forked=True)
    before = untouched(moved)
    said = moved.finish()
    assert "2 of 2 cells are finished" in said
    assert untouched(moved) == before
    assert moved.essence() == undisturbed.essence
