"""Where a stage was made stands in its manifest and in the records that rest on it; portable numerics are the same bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from composing import compute, tiny
from synthetic_study import seal_cell

from analysis.load.studies import load_studies
from rft.infra import numerics
from rft.infra.origin import cpu_model
from rft.records import RECORD_FILE, read_json, write_json
from tests.infra.test_study import GRID, run

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("origin")
    run(folder, *GRID)
    return folder / "multirun_outputs"


def test_every_stage_of_a_record_names_where_it_was_made(study: Path):
    for path in study.glob(f"s/*/{RECORD_FILE}"):
        record = read_json(path)
        origins = record["provenance"]["origins"]
        assert {row["origin"] for row in record["stages"]} == set(range(len(origins)))
        for row in record["stages"]:
            made = origins[row["origin"]]
            assert made["commit"] == record["provenance"]["commit"]
            assert (made["cpu"], made["threads"], made["numerics"]) == (cpu_model(), 1, "native")
            assert made["versions"]["torch"]
        kinds = {row["name"]: origins[row["origin"]]["cpu_capability"] for row in record["stages"]}
        assert kinds["pretrain"], "the instruction set that torch used"
        trained = {row["name"] for row in record["stages"] if "weights" in row}
        assert trained == {"pretrain", "finetune"}
        assert record["model"]["base_weights"]


def test_a_stage_found_finished_keeps_the_origin_of_who_made_it(study: Path, tmp_path: Path):
    (manifest,) = study.glob(".store/pretrain/*/*/manifest.json")
    before = read_json(manifest)["meta"]["origin"]
    assert before["cpu"] == cpu_model()
    record = next(study.glob(f"s/*/{RECORD_FILE}"))
    text = run(study.parent, *GRID, "study_name=again", "method=sft")
    assert "1 of 1 cells have a record" in text
    (again,) = study.glob(f"again/*/{RECORD_FILE}")
    assert read_json(manifest)["meta"]["origin"] == before
    assert before in read_json(again)["provenance"]["origins"]
    assert read_json(record)["model"]["base_weights"] == read_json(again)["model"]["base_weights"]


def test_two_bases_under_one_key_are_named_and_kept_apart(study: Path, tmp_path: Path):
    """As when two machines with unlike processors made them: cells of one must not be the controls of the other's."""
    for name, method in (("one", "sft"), ("two", "rft")):
        (tmp_path / name).mkdir()
        for path in study.glob(f"s/*/{RECORD_FILE}"):
            row = read_json(path)
            if row["setting"]["method"] == method:
                row["model"]["base_weights"] = name
                row["provenance"]["origins"][0]["cpu"] = f"processor {name}"
                row["files"] = {}
                write_json(tmp_path / name / RECORD_FILE, row)
                seal_cell(tmp_path / name)
    table = load_studies([tmp_path / "one", tmp_path / "two"])
    assert len({cell.base for cell in table.cells}) == 1  # one configuration of bases
    assert len({cell.draw for cell in table.cells}) == 2  # and two draws of it, which pairs and controls never join
    (note,) = table.notes
    assert "2 bases of nano-xs have one key and other weights" in note
    assert "processor one" in note
    assert "processor two" in note


# Portable numerics

SCRIPT = """
import hashlib, json, sys
from pathlib import Path
sys.path.insert(0, "tests")
from rft.infra.numerics import require
require(sys.argv[2])
from composing import compute, tiny
folder = Path(sys.argv[1])
cfg = tiny("model=nano-xs", "method=rft", "k=2", "temperature=1.5", f"numerics={sys.argv[2]}", f"store.root={folder}/store")
record = json.loads((compute(cfg, study=folder / "study") / "record.json").read_text())
weights = [hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("store/*/*/*/model.safetensors"))]
samples = [hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.glob("store/*/*/*/samples.jsonl.gz"))]
found = {"weights": weights, "samples": samples, "scores": record["scores"], "origins": record["provenance"]["origins"]}
print(json.dumps(found | {"loss": record["model"]["pretrain_loss_nats"]}))
"""
# What another machine would have: fewer instructions, asked of each library in its own way
FEWER: dict[str, dict[str, str]] = {
    "torch without AVX-512": {"ATEN_CPU_CAPABILITY": "avx2"},
    "MKL with AVX2": {"MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "MKL with SSE4.2": {"MKL_ENABLE_INSTRUCTIONS": "SSE4_2"},
    "CTranslate2 with AVX": {"CT2_FORCE_CPU_ISA": "AVX"},
    "oneDNN with AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
}
ALL_FEWER = {name: value for variables in FEWER.values() for name, value in variables.items()}  # of MKL the fewest
MACHINES = {"this one": {}, "fewer of all libraries": ALL_FEWER, **FEWER}


def made_on(machine: str, folder: Path, kind: str) -> dict[str, Any]:
    clean = {name: value for name, value in os.environ.items() if name not in (*numerics.VARIABLES, "RFT_NUMERICS")}
    environment = {**clean, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **MACHINES[machine]}
    command = [sys.executable, "-c", SCRIPT, str(folder), kind]
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    "others", [["fewer of all libraries"], pytest.param([*FEWER], marks=pytest.mark.slow, id="of-each-alone")]
)
def test_portable_numerics_are_the_same_bits_on_all_instructions(tmp_path: Path, others: list[str]):
    found = {name: made_on(name, tmp_path / str(i), "portable") for i, name in enumerate(["this one", *others])}
    origins = found["this one"].pop("origins")
    assert {made["numerics"] for made in origins} == {"portable"}
    assert {made["cpu_capability"] for made in origins} <= {"DEFAULT", None}
    for name, other in found.items():
        other.pop("origins", None)
        assert other == found["this one"], name


def test_portable_is_another_identity_and_native_adds_none(tmp_path: Path):
    from rft.plan.cell import plan
    from rft.plan.sources import resolve

    cells = [plan(cfg, resolve(cfg)) for cfg in (tiny("method=rft"), tiny("method=rft", "numerics=portable"))]
    native, portable = ({stage.kind: stage.key for stage in cell.stages} for cell in cells)
    assert native["world_problems"] == portable["world_problems"]
    assert native["corpus"] == portable["corpus"]
    assert not {native[kind] for kind in ("pretrain", "finetune", "shard", "evaluate", "loss")} & set(portable.values())
    assert "numerics" not in cells[0].read.base.identity()


def test_numerics_cannot_change_once_a_library_is_loaded(monkeypatch: pytest.MonkeyPatch):
    import torch  # noqa: F401

    monkeypatch.delenv("RFT_NUMERICS", raising=False)
    with pytest.raises(RuntimeError, match=r"numerics=portable is asked for, but this process has loaded .*torch"):
        numerics.require("portable")


def test_a_sweep_over_numerics_is_refused(tmp_path: Path):
    text = run(tmp_path, *GRID, "numerics=native,portable", status=1)
    assert "numerics takes two values in one sweep" in text
    assert "Traceback" not in text


def test_portable_numerics_are_of_one_thread():
    with pytest.raises(ValueError, match=r"portable bits need runtime\.threads=1"):
        tiny("method=sft", "numerics=portable", "runtime.threads=2")


def test_a_cell_computed_natively_is_found_again(tmp_path: Path):
    cfg = tiny("method=icl", f"store.root={tmp_path}/store")
    first = (compute(cfg, study=tmp_path / "s") / RECORD_FILE).read_bytes()
    assert (compute(cfg, study=tmp_path / "s") / RECORD_FILE).read_bytes() == first
