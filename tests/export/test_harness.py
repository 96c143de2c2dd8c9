"""lm-evaluation-harness beside the record: its own process and environment, the same texts and outcomes, one by one.

make lm-eval-env        # or RFT_LM_EVAL=FOLDER, a virtual environment with lm-eval, torch and transformers
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides
from composing import composed, compute

from rft.cli.export import export
from rft.export.cell import FinishedCell
from rft.infra.store import Store
from rft.records import OUTCOMES_FILE, read_jsonl

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("RFT_LM_EVAL", ROOT / ".venv-lm-eval")) / "bin" / "python"
WORLD = ("model=nano-s", "method=sft", "data.eval_problems=128", "tracking.mode=disabled")
STOPPED = ("method=sft", "data.max_new_tokens=40", "train.epochs=20", "train.lr=0.01", "sampling.stop=[n]")


def of_world(folder: Path) -> Path:
    """The embedded study's model, which answers well enough for right and wrong to be told apart."""
    return compute(composed(*WORLD, f"store.root={folder}/store"), study=folder / "study")


def of_bytes(folder: Path) -> Path:
    """A stop string ends most of its texts."""
    return compute(composed(*overrides(folder), *STOPPED), study=folder / "study")


CELLS = {"world": of_world, "stop strings": of_bytes}


def run_harness(folder: Path) -> tuple[float, list[dict[str, Any]]]:
    """(the harness's score, its log of samples) of an export."""
    name = next(folder.glob("lm_eval/*.yaml")).stem
    given = f"pretrained={folder}/lm_eval/model,dtype=float32"
    command = [str(PYTHON), "-m", "lm_eval", "--model", "hf", "--model_args", given, "--tasks", name, "--include_path",
               f"{folder}/lm_eval", "--device", "cpu", "--batch_size", "8", "--output_path", f"{folder}/found",
               "--log_samples"]  # fmt: skip
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=os.environ | offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    results = json.loads(next(folder.rglob("results_*.json")).read_text())["results"][name]
    rows = list(read_jsonl(next(folder.rglob("samples_*.jsonl"))))
    return float(results["maj1@1,none"]), rows


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="make lm-eval-env makes the environment of lm-evaluation-harness")
@pytest.mark.parametrize("name", CELLS)
def test_the_harness_gives_the_records_score_answer_for_answer(name: str, tmp_path: Path):
    cell = CELLS[name](tmp_path)
    export(cell, to=tmp_path / "out", store_root=tmp_path / "store", lm_eval=True)
    score, rows = run_harness(tmp_path / "out")
    finished = FinishedCell.open(cell, store=Store(tmp_path / "store"))
    assert score == pytest.approx(finished.record.scores["maj1@1"].value)
    theirs = {row["doc"]["id"]: row for row in rows}
    ours = {sample.id: sample for sample in finished.greedy_samples()}
    outcomes = {row["id"]: row["greedy"]["outcome"] for row in read_jsonl(cell / OUTCOMES_FILE)}
    assert theirs.keys() == ours.keys() == outcomes.keys()
    for key, row in theirs.items():
        assert row["resps"][0][0].strip() == ours[key].text
        assert row["maj1@1"] == (outcomes[key] == "C")
    ended = sum(not one.truncated for one in ours.values())
    assert ended > 0, "the test needs texts that end before the limit"
    print(f"{name}: {score:.4f} of {len(rows)}, {ended} ended by themselves")


def test_the_task_lies_beside_the_model_and_moves_with_it(tmp_path: Path):
    cell = of_bytes(tmp_path)
    export(cell, to=tmp_path / "out", store_root=tmp_path / "store", lm_eval=True)
    moved = (tmp_path / "out").rename(tmp_path / "moved")
    rows = list(read_jsonl(moved / "lm_eval" / "test.jsonl"))
    finished = FinishedCell.open(cell, store=Store(tmp_path / "store"))
    assert [(row["id"], row["gold"]) for row in rows] == [(p.id, p.gold) for p in finished.test_problems()]
    assert rows[0]["prompt"] == f"Question: {finished.test_problems()[0].question}\nAnswer:"
    for file in (moved / "lm_eval" / "model").iterdir():
        assert file.is_file(), f"{file} points nowhere"
    said, own = (
        json.loads((moved / place / "generation_config.json").read_text()) for place in ("model", "lm_eval/model")
    )
    assert said["stop_strings"]
    assert not {"stop_strings", "max_new_tokens"} & own.keys()
    assert own["eos_token_id"] == said["eos_token_id"]
    with pytest.raises(ValueError, match="--lm-eval asks the model"):
        export(cell, to=tmp_path / "no", store_root=tmp_path / "store", lm_eval=True, data_only=True)
