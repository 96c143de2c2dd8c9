"""Whole studies through the command line: real processes, a real store, everything at a tiny size.

The first study, and the one that is killed in pretraining, are the command itself; the others are forked (forked.py).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import forked
import pytest
from byte_model import overrides
from composing import TINY
from forked import REPOSITORY, Forked, environment
from wandb_offline import runs_of

from rft import store as store_cli
from rft.records import RECORD_FILE, STUDY_FILE, Record, read_json, read_jsonl

GRID = (
    "-m",
    "hydra/launcher=dag_local",
    "study_name=s",
    "model=nano-xs",
    "method=sft,rft,sft_matched",
    "k=2",
    "temperature=1.5",
)


def start(folder: Path, *arguments: str, real: bool = False) -> subprocess.Popen[str] | Forked:
    """`python -m rft.run` with its output in a file, in a session of its own so that all of it can be killed; forked from a
    process that has the libraries loaded, or `real`."""
    words = ["-m", "rft.run", *arguments[:1], *TINY, *arguments[1:]]
    if not real:
        return Forked(*words, cwd=folder, env=environment(), out=folder / "out.txt")
    with open(folder / "out.txt", "a") as out:
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=environment(),
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def run(folder: Path, *arguments: str, status: int = 0, real: bool = False) -> str:
    """Run to the end; returns the output."""
    folder.mkdir(exist_ok=True)
    (folder / "out.txt").unlink(missing_ok=True)
    code = start(folder, *arguments, real=real).wait(timeout=300)
    text = (folder / "out.txt").read_text()
    assert code == status, text
    return text


def records(study: Path) -> dict[str, dict[str, Any]]:
    """Records of the manifest's cells by cell id, in what must be equal between runs."""
    found = {}
    for entry in read_json(study / STUDY_FILE)["cells"]:
        row = read_json(study / entry["folder"] / RECORD_FILE)
        found[entry["cell_id"]] = {name: value for name, value in row.items() if name not in ("cost", "provenance")}
    return found


def outcomes(study: Path) -> list[list[dict[str, Any]]]:
    return [list(read_jsonl(path)) for path in sorted(study.glob("*/outcomes.jsonl.gz"))]


def computed(folder: Path) -> list[str]:
    """Kind and key of every stage computation, one row each time."""
    rows = (folder / "multirun_outputs/.store/timings.jsonl").read_text().splitlines()
    return [f"{row['name']} {row['key']}" for row in map(json.loads, rows)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an undisturbed study."""
    folder = tmp_path_factory.mktemp("finished")
    run(folder, *GRID, real=True)
    return folder


def test_a_study_ends_in_readable_records(finished: Path):
    study = finished / "multirun_outputs/s"
    rows = {cell_id: Record.from_json(read_json(study / e["folder"] / RECORD_FILE)) for cell_id, e in _entries(study)}
    assert len(rows) == 3
    for record in rows.values():
        assert record.scores["maj1@1"].n == 16
        assert 0 <= record.scores["maj1@1"].value <= 1
        assert record.model["pretrain_loss_nats"] > 0
        assert record.data["num_human"] == 16
        assert record.provenance["python"]
        assert record.provenance["command"][:4] == ["python", "-m", "rft.run", "-m"]
        assert "method=sft,rft,sft_matched" in record.provenance["command"]
        assert all(not Path(name).is_absolute() for name in record.files.values())
    matched, rft, sft = (
        next(r for r in rows.values() if r.setting["method"] == m) for m in ("sft_matched", "rft", "sft")
    )
    assert matched.data["num_optimizer_steps"] == rft.data["num_optimizer_steps"] >= sft.data["num_optimizer_steps"]
    assert rft.data["num_samples"] == 32
    assert sum(rft.data["drop_counts"].values()) + rft.data["num_augmented"] == 32
    assert "k" not in sft.setting


def _entries(study: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(entry["cell_id"], entry) for entry in read_json(study / STUDY_FILE)["cells"]]


def test_every_stage_is_computed_once(finished: Path):
    assert len(computed(finished)) == len(set(computed(finished)))


def test_a_second_run_computes_nothing(finished: Path):
    before = computed(finished)
    text = run(finished, *GRID)
    assert computed(finished) == before
    assert "3 of 3 cells are finished" in text


def test_the_basic_launcher_agrees_with_the_graph_launcher(finished: Path, tmp_path: Path):
    run(tmp_path, *(argument for argument in GRID if "launcher" not in argument))
    assert records(tmp_path / "multirun_outputs/s") == records(finished / "multirun_outputs/s")


@pytest.mark.parametrize("moment", ["corpus", "pretrain", "shard"])
def test_killed_and_started_again_equals_uninterrupted(finished: Path, tmp_path: Path, moment: str):
    process = start(tmp_path, *GRID, real=moment == "pretrain")
    store = tmp_path / "multirun_outputs/.store"
    deadline = time.monotonic() + 120
    while not list(store.glob(f".scratch/{moment}-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the study ended before it could be killed"
    run(tmp_path, *GRID)
    assert records(tmp_path / "multirun_outputs/s") == records(finished / "multirun_outputs/s")
    assert outcomes(tmp_path / "multirun_outputs/s") == outcomes(finished / "multirun_outputs/s")


def test_two_sweeps_at_once_compute_shared_stages_once(finished: Path, tmp_path: Path):
    other = [argument.replace("study_name=s", "study_name=other") for argument in GRID]
    both = [start(tmp_path, *GRID), start(tmp_path, *other)]
    assert [process.wait(timeout=300) for process in both] == [0, 0], (tmp_path / "out.txt").read_text()
    assert len(computed(tmp_path)) == len(set(computed(tmp_path)))
    for name in ("s", "other"):
        scores = [row["scores"] for row in records(tmp_path / "multirun_outputs" / name).values()]
        assert scores == [row["scores"] for row in records(finished / "multirun_outputs/s").values()]


def test_a_failing_cell_is_missing_with_its_reason_and_the_others_finish(tmp_path: Path):
    text = run(tmp_path, *GRID, "train.lr=1e-3,1e30", "method=sft", status=1)
    study = tmp_path / "multirun_outputs/s"
    done = [entry for _, entry in _entries(study) if (study / entry["folder"] / RECORD_FILE).exists()]
    failed = [entry for _, entry in _entries(study) if (study / entry["folder"] / "failure.json").exists()]
    assert (len(done), len(failed)) == (1, 1)
    failure = read_json(study / failed[0]["folder"] / "failure.json")
    assert "loss" in failure["reason"]
    assert failure["reason"] in text
    assert "1 of 2 cells have a record" in text


def test_a_second_sweep_adds_its_cells_and_touches_none_of_the_first(tmp_path: Path):
    run(tmp_path, "-m", "study_name=s", "method=sft", "data_frac=0.5,1")
    study = tmp_path / "multirun_outputs/s"
    before = {path: path.read_bytes() for path in study.glob(f"*/{RECORD_FILE}")}
    text = run(tmp_path, "-m", "hydra/launcher=dag_local", "study_name=s", "method=sft", "data_frac=0.25,1")
    assert "study s: 2 cells are there, 1 of this sweep's 2 are new" in text
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(row["setting"]["data_frac"] for row in records(study).values()) == [0.25, 0.5, 1.0]
    assert "3 of 3 cells have a record" in text


def test_cells_leave_a_study_when_it_is_replaced_and_are_named(tmp_path: Path):
    run(tmp_path, "-m", "study_name=s", "method=sft", "data_frac=0.5,1")
    study = tmp_path / "multirun_outputs/s"
    text = run(tmp_path, "-m", "study_name=s", "method=sft", "data_frac=1", "study_replace=true")
    assert "no longer lists 2 cells" in text
    assert [row["setting"]["data_frac"] for row in records(study).values()] == [1.0]
    assert len(list(study.glob(f"*/{RECORD_FILE}"))) == 2, "nothing is deleted"


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_job_that_cannot_be_planned_is_missing_with_its_reason(tmp_path: Path, launcher: str):
    sweep = ("-m", f"hydra/launcher={launcher}", "study_name=s", "method=sft")
    text = run(tmp_path, *sweep, "data_frac=2,0.5,1", status=1)
    study = tmp_path / "multirun_outputs/s"
    assert "of 3 cells have a record" in text
    (failed,) = [entry for _, entry in _entries(study) if entry.get("invalid")]
    assert "data_frac=2.0 is outside (0, 1]" in read_json(study / failed["folder"] / "failure.json")["reason"]
    again = ("-m", "study_name=s", "method=sft")  # by the basic launcher: processes of joblib's own load all libraries
    assert "2 of 2 cells have a record" in run(tmp_path, *again, "data_frac=0.5,1")
    assert not (study / failed["folder"]).exists()


def test_two_sweeps_into_one_study_at_once_both_live(tmp_path: Path):
    grids = [("-m", "study_name=s", "method=sft", f"data_frac={fractions}") for fractions in ("0.25,1", "0.5,1")]
    both = [start(tmp_path, *grid) for grid in grids]
    assert [process.wait(timeout=300) for process in both] == [0, 0], (tmp_path / "out.txt").read_text()
    rows = records(tmp_path / "multirun_outputs/s")
    assert sorted(row["setting"]["data_frac"] for row in rows.values()) == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("damage", ["", "[]", "{", "\udcff", '{"schema_version": 2}'])
def test_a_damaged_record_is_unfinished_and_made_again(finished: Path, tmp_path: Path, damage: str):
    shutil.copytree(finished / "multirun_outputs", tmp_path / "multirun_outputs", symlinks=True)
    study = tmp_path / "multirun_outputs/s"
    before = records(study)
    path = next(study.glob(f"*/{RECORD_FILE}"))
    path.write_text(damage, errors="surrogateescape")
    run(tmp_path, *GRID)
    assert records(study) == before


def test_a_sweep_that_names_a_cell_twice_has_it_once(tmp_path: Path):
    text = run(tmp_path, "-m", "hydra/launcher=dag_local", "study_name=s", "method=sft", "k=1,2,4")
    assert "1 of 3 jobs" in text
    assert len(records(tmp_path / "multirun_outputs/s")) == 1


def test_a_studys_store_is_listed_with_the_model_of_each_stage(finished: Path, capsys: pytest.CaptureFixture[str]):
    assert store_cli.main(["--root", str(finished / "multirun_outputs/.store"), "ls"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    named = {kind: model for kind, _, model, *_ in lines if kind in ("pretrain", "finetune", "shard", "evaluate")}
    assert named == dict.fromkeys(("pretrain", "finetune", "shard", "evaluate"), "nano-xs")


def test_a_moved_store_hits(finished: Path, tmp_path: Path):
    (finished / "multirun_outputs/.store").rename(tmp_path / "moved")
    try:
        before = (tmp_path / "moved/timings.jsonl").read_text()
        run(tmp_path, *GRID, f"store.root={tmp_path}/moved")
        assert (tmp_path / "moved/timings.jsonl").read_text() == before
    finally:
        (tmp_path / "moved").rename(finished / "multirun_outputs/.store")


def test_an_output_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    text = run(tmp_path, "method=sft", "study_name=s", f"store.root={tmp_path}/file", status=1)
    assert f"{tmp_path}/file" in text


def test_the_offline_wandb_runs_of_a_study_read_back(tmp_path: Path):
    run(tmp_path, *GRID[:4], "method=sft", "tracking.mode=offline", "tracking.finish_s=120")
    study = tmp_path / "multirun_outputs/s"
    record = read_json(next(study.glob(f"*/{RECORD_FILE}")))
    found = {job_type: one for (job_type, _), one in runs_of(study).items()}
    assert set(found) == {"sweep", "pretrain", "finetune", "cell"}
    cell = found["cell"]
    assert cell.group == read_json(study / STUDY_FILE)["group"]
    assert cell.config["data_frac"] == record["setting"]["data_frac"]
    assert cell.summary["eval/maj1@1"] == record["scores"]["maj1@1"]["value"]
    logged = [point["eval/maj1@1"] for point in cell.history]  # a panel of the default workspace
    assert logged == [cell.summary["eval/maj1@1"]]
    assert len(found["finetune"].history) == record["data"]["num_optimizer_steps"]
    assert "results" in json.dumps(found["sweep"].summary)
    before = sorted(study.glob("wandb/offline-run-*/*.wandb"))
    run(tmp_path, *GRID[:4], "method=sft", "tracking.mode=offline")
    assert sorted(study.glob("wandb/offline-run-*/*.wandb")) == before


def test_wandb_that_cannot_start_changes_nothing(finished: Path, tmp_path: Path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "wandb.py").write_text("raise ImportError('no wandb here')")
    broken = environment(PYTHONPATH=f"{tmp_path}/broken:{REPOSITORY}")
    words = ("-m", "rft.run", GRID[0], *TINY, *GRID[1:], "method=sft", "tracking.mode=offline")
    done = forked.run(*words, cwd=tmp_path, env=broken)
    assert done.returncode == 0, done.stderr
    assert "no wandb here" in done.stdout + done.stderr
    [record] = records(tmp_path / "multirun_outputs/s").values()
    assert record in records(finished / "multirun_outputs/s").values()


def test_one_folder_under_two_model_names_is_imported_once(tmp_path: Path):
    own = [text for text in overrides(tmp_path) if not text.startswith(("model=", "store.root"))]
    arguments = ["-m", "hydra/launcher=dag_local", "model=smollm2-135m,smollm2-135m-chat", "model.prompt=plain"]
    words = ("-m", "rft.run", *arguments, *own, "method=icl", "study_name=twins")
    assert forked.run(*words, cwd=tmp_path).returncode == 0
    assert len(records(tmp_path / "multirun_outputs" / "twins")) == 2
    assert sum("import" in line for line in computed(tmp_path)) == 1


def test_a_dry_run_leaves_nothing(tmp_path: Path) -> None:
    for arguments in (("study_name=s",), GRID, ("-m", "study_name=s", "k=1,2")):
        text = run(tmp_path, *arguments, "dry_run=true")
        assert "cells: " in text
        assert [path.name for path in tmp_path.rglob("*")] == ["out.txt"], arguments


def test_single_runs_of_one_name_lie_side_by_side(tmp_path: Path) -> None:
    """The first one's record and configuration are as they were, and a third run with its settings finds it."""
    study = tmp_path / "multirun_outputs/single/s"
    shared = ("study_name=s", "model=nano-xs", "method=sft")
    run(tmp_path, *shared, "data_frac=1")
    (first,) = study.glob(f"*/{RECORD_FILE}")
    before = first.read_bytes()
    run(tmp_path, *shared, "data_frac=0.5")
    assert first.read_bytes() == before
    cells = {entry["cell_id"]: entry["folder"] for entry in read_json(study / STUDY_FILE)["cells"]}
    assert len(cells) == 2
    assert {path.parent.name for path in study.glob(f"*/{RECORD_FILE}")} == set(cells.values()) == set(cells)
    assert "data_frac=1\n" in (first.parent / ".hydra/overrides.yaml").read_text()
    assert "is finished" in run(tmp_path, *shared, "data_frac=1")
