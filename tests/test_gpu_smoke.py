"""tests/gpu/smoke.sh proves on the CPU, at toy sizes, that every part runs and lands in the one JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "gpu" / "smoke.sh"
REPOSITORY = Path(__file__).parents[1]


def smoke(out: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    environment = {**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    command = [str(SCRIPT), "--small", "--out", str(out), *words]
    done = subprocess.run(command, env=environment, cwd=out, capture_output=True, text=True, check=False)
    log = (out / "gpu.log").read_text(encoding="utf-8") if (out / "gpu.log").is_file() else ""
    return done.returncode, json.loads((out / "gpu.json").read_text(encoding="utf-8")), done.stdout + done.stderr + log


@pytest.mark.slow
def test_every_part_runs_at_toy_size(tmp_path: Path):
    status, found, text = smoke(tmp_path, "--limit", "280")
    assert status == 0, text[-5000:]
    assert set(found["notes"].values()) == {"done"}
    training = found["parts"]["training"]
    assert training["ours"]["first_loss"] == pytest.approx(training["trainer"]["first_loss"], abs=0.01)
    assert training["ours"]["last_loss"] == pytest.approx(training["trainer"]["last_loss"], abs=0.01)
    assert training["ours"]["mfu"] > 0
    packing = found["parts"]["packing"]
    assert packing["on"]["losses"] == pytest.approx(packing["off"]["losses"], rel=1e-3)
    sampling = found["parts"]["sampling"]
    assert sampling["torch"]["tokens_per_s"] > 0
    assert sampling["hf_generate"]["tokens_per_s"] > 0
    assert found["sharing"]["apart_s"] > 0
    assert [cell["n"] for cell in found["quickstart"]["cells"]] == [8, 8, 8]
    assert found["quickstart"]["stages"]["finetune"]["count"] == 3
    assert found["machine"]["versions"]["torch"]


def test_a_part_that_overruns_is_noted_and_the_next_one_runs(tmp_path: Path):
    """With no time at all every part overruns; the JSON says so and the script ends at once."""
    status, found, _ = smoke(tmp_path, "--limit", "0.5", "--parts", "packing,sharing")
    assert status == 1
    assert set(found["notes"]) == {"packing", "sharing"}
    assert "done" not in found["notes"].values()
