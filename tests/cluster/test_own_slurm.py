"""What a real SLURM enforces by itself: time limits, preemption, lost nodes, MaxArraySize; a training that is cut goes on.

Two nodes on this machine and settings of the tests' own (own_slurm.py).
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cluster.conftest import Engine, lines, wait_until
from cluster.own_slurm import OwnSlurm
from cluster.slow_training import TASK, write_slow
from cluster.tiny_sweep import run_tiny
from composing import tiny

from analysis.load.studies import load_studies
from rft.config import RuntimeConfig, StoreConfig
from rft.execute.stages import StageRunner
from rft.infra.cluster import slurm_queue
from rft.infra.cluster.holds import hold_of
from rft.infra.cluster.queue_text import driver_lines
from rft.infra.cluster.register import Register, Submitted
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import CURVE_FILE, RECORD_FILE, read_json, read_jsonl
from rft.stages.finetune import Finetune
from rft.stages.stage import Stage, in_order

pytestmark = pytest.mark.cluster

MOST_ELEMENTS = 3
NUM_STEPS = 40
SETTINGS = (
    f"MaxArraySize={MOST_ELEMENTS}",
    "PreemptType=preempt/partition_prio",
    "PreemptMode=REQUEUE",
    "KillWait=5",
    "SlurmdTimeout=10",  # a node that is silent for so long is down
    "AuthInfo=cred_expire=5",  # a job that was put back waits for so long, by default two minutes
)


@pytest.fixture(scope="module")
def own(slurm: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSlurm]:
    if "RFT_SLURM_FOLDER" not in os.environ:
        pytest.skip("RFT_SLURM_FOLDER does not say where a SLURM for tests is unpacked: `make test-cluster`")
    with OwnSlurm.started(tmp_path_factory.mktemp("slurm"), settings=SETTINGS) as started:
        yield started


def jobs_of(folder: Path) -> list[Submitted]:
    return Register(folder / "study/.slurm").all()


def queued(folder: Path) -> list[slurm_queue.QueuedJob]:
    return list((slurm_queue.jobs(Register(folder / "study/.slurm").name) or {}).values())


def test_arrays_are_as_long_as_slurm_allows_and_no_more_jobs_queue_than_asked(own: OwnSlurm, tmp_path: Path):
    assert slurm_queue.max_array_size() == MOST_ELEMENTS
    sweep = Engine("slurm").start(tmp_path, "--width", "9", "--together", "1", "--jobs", "5")
    most = 0
    while sweep.poll() is None:
        most = max(most, len(queued(tmp_path)))
        time.sleep(0.2)
    results = Engine("slurm").results(sweep, tmp_path)
    assert {one for one, _ in results.values()} == {"done"}
    assert lines(tmp_path / "computed.txt") == sorted(results)
    arrays = [job.slurm_id.split("_") for job in jobs_of(tmp_path) if "_" in job.slurm_id]
    sizes = {name: sum(one == name for one, _ in arrays) for name, _ in arrays}
    assert max(sizes.values()) == MOST_ELEMENTS, sizes
    assert all(int(number) < MOST_ELEMENTS for _, number in arrays)
    assert MOST_ELEMENTS < most <= 5


def test_a_job_that_slurm_cannot_start_and_holds_is_told_and_given_up(own: OwnSlurm, tmp_path: Path):
    with own.no_job_starting():
        sweep = Engine("slurm").start(tmp_path, "--held", "20")
        wait_until(lambda: any(hold_of(job) for job in queued(tmp_path)))
        job = jobs_of(tmp_path)[0].slurm_id
        (line,) = [line for line in driver_lines(tmp_path / "study") if "holds" in line]
        assert "launch failed requeued held" in line
        assert line.endswith(f"scontrol release {job}")
        results = Engine("slurm").results(sweep, tmp_path, seconds=120)
    assert results["first"][0] == "failed"
    assert "launch failed requeued held" in str(results["first"][1])
    assert {one for name, (one, _) in results.items() if name != "first"} == {"skipped"}
    assert f"scontrol release {job}" in (tmp_path / "driver.err").read_text()
    wait_until(lambda: not queued(tmp_path))
    assert {one for one, _ in Engine("slurm").run(tmp_path).values()} == {"done"}


def test_stages_of_unlike_nodes_say_which_made_them_and_their_bases_are_kept_apart(own: OwnSlurm, tmp_path: Path):
    """Node two has the kernels of an old processor: what made a stage is its node, not the machine of the sweep."""
    (tmp_path / "node.sh").write_text(
        f"echo $SLURM_JOB_ID ${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID $SLURMD_NODENAME >>{tmp_path}/where.txt\n"
        "[ $SLURMD_NODENAME = one ] || export ATEN_CPU_CAPABILITY=default\n"
    )
    asked = "hydra.launcher.resources={all: {cpus: 2, memory_gb: 2, minutes: 20}}"  # all of a node
    bases = "pretrain_seed=0,1,2,3"
    setup = f"hydra.launcher.setup=['. {tmp_path}/node.sh']"
    study = run_tiny(
        tmp_path / "slurm", "dag_slurm", asked, setup, "hydra.launcher.stages_per_job=2", "method=icl", bases
    )
    nodes = {
        job_id: node
        for line in (tmp_path / "where.txt").read_text().splitlines()
        for job_id, node in [line.rsplit(" ", 1)]
    }
    ran = {
        task.rpartition("[")[2][:8]: node
        for job in Register(study / ".slurm").all()
        for task in job.tasks
        for ids, node in nodes.items()
        if job.slurm_id in ids.split()
    }
    assert set(ran.values()) == {"one", "two"}
    weights = {}
    for path in study.glob(f"*/{RECORD_FILE}"):
        record = read_json(path)
        for stage in record["stages"]:
            origin, node = record["provenance"]["origins"][stage["origin"]], ran[stage["key"][:8]]
            assert origin["limits"] == ({} if node == "one" else {"ATEN_CPU_CAPABILITY": "default"})
            assert (origin["cpu_capability"] == "DEFAULT") == (node == "two")
            if stage["name"] == "pretrain":
                weights[stage["key"]] = node
    assert set(weights.values()) == {"one", "two"}
    here = run_tiny(tmp_path / "local", "dag_local", "method=sft", bases)
    table = load_studies([study, here])
    twins = list(weights.values()).count("two")
    assert len({cell.draw for cell in table.cells}) == len(weights) + twins
    notes = [note for note in table.notes if "one key and other weights" in note]
    assert len(notes) == twins  # one a base
    assert all("DEFAULT" in note and str(tmp_path / "local") in note for note in notes)


def test_a_job_of_a_lost_node_runs_again_on_another(own: OwnSlurm, tmp_path: Path):
    sweep = Engine("slurm").start(tmp_path, "--seconds", "10", "--together", "1")
    wait_until(lambda: sum(name.startswith("wide") for name in lines(tmp_path / "begun.txt")) == 4)
    own.kill_node("two")
    wait_until(lambda: own.state("two").startswith("down"))
    results = Engine("slurm").results(sweep, tmp_path)
    begun = len(lines(tmp_path / "begun.txt"))
    own.start_node("two")
    assert {one for one, _ in results.values()} == {"done"}
    assert lines(tmp_path / "computed.txt") == sorted(results)
    assert len(results) < begun <= len(results) + 2  # nothing twice but what ran there


@dataclass(frozen=True)
class Training:
    """A training stage, and what it makes where nobody disturbs it."""

    stage: Stage[object]
    store: Path  # with its inputs
    output: dict[str, bytes]
    curve: list[dict[str, float]]

    def slow_in(self, folder: Path, *, pause_s: float) -> None:
        """Laid out to be run by slow_training.py, in a store that has its inputs alone."""
        subprocess.run(["cp", "-r", str(self.store), str(folder / "store")], check=True)
        root = StoreConfig(root=str(folder / "store"), cache="", cache_gib=1.0)
        write_slow(folder, self.stage, root, runtime(), num_steps=NUM_STEPS, pause_s=pause_s)


def runtime() -> RuntimeConfig:
    return tiny("runtime.device=cpu", "runtime.checkpoint_minutes=1e-6").runtime


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    cfg = tiny("method=sft", "train.epochs=20")
    *inputs, stage = in_order([plan(cfg, resolve(cfg)).read.trained.weights])
    assert isinstance(stage, Finetune)
    folder = tmp_path_factory.mktemp("training")
    store = Store(folder / "store")
    with StageRunner(store, runtime()) as run:
        for one in inputs:
            run(one)
    subprocess.run(["cp", "-r", str(folder / "store"), str(folder / "inputs")], check=True)
    with StageRunner(store, runtime()) as run:
        path = run(stage).path
    assert len(curve(path)) == NUM_STEPS
    return Training(stage, folder / "inputs", output(path), curve(path))


def output(folder: Path) -> dict[str, bytes]:
    """All but what holds times."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name not in (CURVE_FILE, "manifest.json")}


def curve(folder: Path) -> list[dict[str, float]]:
    return [{k: v for k, v in row.items() if k != "elapsed_s"} for row in read_jsonl(folder / CURVE_FILE)]


@dataclass
class Sweep:
    """slow_training.py at work."""

    folder: Path
    minutes: int = 10
    partition: str = "main"

    def start(self) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("slow_training.py")
        how = ["--minutes", str(self.minutes), "--partition", self.partition]
        command = [sys.executable, str(script), "slurm", str(self.folder), *how]
        with open(self.folder / "driver.err", "a") as told, open(self.folder / "results.json", "w") as out:
            return subprocess.Popen(command, stdout=out, stderr=told)

    def taken(self) -> list[tuple[int, int]]:
        """(step, process), in the order in which they were taken."""
        path = self.folder / "steps.txt"
        rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(int(step), int(pid)) for step, pid in rows]

    def taken_by(self) -> list[int]:
        """Processes."""
        return [pid for _, pid in self.taken()]

    def wait_for(self, step: int) -> str:
        """Until a process has taken it; the job's id."""
        wait_until(lambda: any(one >= step for one, _ in self.taken()))
        return jobs_of(self.folder)[-1].slurm_id

    def check(self, training: Training, *, processes: int) -> None:
        """Every step once but those behind a checkpoint, and the same bits."""
        pids = list(dict.fromkeys(self.taken_by()))
        assert len(pids) >= processes
        spans = [[step for step, pid in self.taken() if pid == one] for one in pids]
        assert all(span == list(range(span[0], span[-1] + 1)) for span in spans), spans
        assert spans[0][0] == 1
        assert spans[-1][-1] == NUM_STEPS
        for before, after in itertools.pairwise(spans):
            assert before[-1] <= after[0] <= before[-1] + 1, spans  # from its last checkpoint
        stage = training.stage
        folder = Store(self.folder / "store").folder(stage.kind, stage.key)
        assert output(folder) == training.output
        assert curve(folder) == training.curve


def urgent_work(own: OwnSlurm) -> None:
    """A job of a partition that goes first, on all nodes: SLURM puts back what runs there."""
    wide = ["sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 5"]
    subprocess.run(wide, check=True, cwd=own.folder)


@pytest.mark.parametrize("cut", ["requeue", "preempt", "warn", "node", "controller"])
def test_a_training_that_slurm_puts_back_goes_on_in_the_middle(
    cut: str, own: OwnSlurm, training: Training, tmp_path: Path
):
    training.slow_in(tmp_path, pause_s=1.0)
    sweep = Sweep(tmp_path, partition="warned" if cut == "warn" else "main")
    driver = sweep.start()
    job = sweep.wait_for(8)
    if cut == "requeue":
        subprocess.run(["scontrol", "requeue", job], check=True)
    elif cut in ("preempt", "warn"):
        urgent_work(own)
    elif cut == "node":
        own.kill_node(node := queued(tmp_path)[0].place)
        wait_until(lambda: len(set(sweep.taken_by())) == 2)  # on the other one
        own.start_node(node)
    else:  # the job goes on without it, and is put back when it is there again
        own.kill_controller()
        sweep.wait_for(14)
        own.start_controller()
        subprocess.run(["scontrol", "requeue", job], check=True)
    assert Engine("slurm").results(driver, tmp_path) == {TASK: ["done", None]}
    assert len(jobs_of(tmp_path)) == 1  # the same job, not a second one
    sweep.check(training, processes=2)


def test_a_training_longer_than_its_time_limit_ends(own: OwnSlurm, training: Training, tmp_path: Path):
    training.slow_in(tmp_path, pause_s=2.5)
    sweep = Sweep(tmp_path, minutes=2)  # SLURM sends the signal 60 to 90 s after the start: see BEFORE_END_S
    assert Engine("slurm").results(sweep.start(), tmp_path, seconds=900) == {TASK: ["done", None]}
    assert len(jobs_of(tmp_path)) == 1
    sweep.check(training, processes=2)


def test_a_training_whose_job_is_killed_goes_on_in_the_next_sweep(own: OwnSlurm, training: Training, tmp_path: Path):
    training.slow_in(tmp_path, pause_s=1.0)
    sweep = Sweep(tmp_path)
    driver = sweep.start()
    job = sweep.wait_for(8)
    subprocess.run(["scancel", "--signal=KILL", job], check=True)
    assert Engine("slurm").results(driver, tmp_path)[TASK][0] == "failed"
    assert Engine("slurm").results(sweep.start(), tmp_path) == {TASK: ["done", None]}
    sweep.check(training, processes=2)
