"""Memory that runs out, in an address space with a limit: sampling goes on with less at once, selection says what to change.

Training does the same: tests/core/test_accumulation.py.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from composing import tiny
from core_tiny import toy_pairs, trained_folder
from forking import in_child

from rft.core.accumulation import OutOfMemoryError
from rft.core.sampling.engines import Place, open_sampler
from rft.core.sampling.held import HeldSampler
from rft.core.sampling.torch_backend import TorchSampler
from rft.execute.stages import StageRunner
from rft.infra.store import Store
from rft.records import read_json, write_json, write_jsonl
from rft.stages.stage import Done, Stage, StageContext

torch.set_num_threads(1)
REPOSITORY = Path(__file__).resolve().parents[2]
PROMPTS = [prompt for prompt, _ in toy_pairs(64, seed=9)]
DRAWS = {"num_draws": 256, "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 16, "stop": [], "seed": 5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_folder(tmp_path_factory.mktemp("trained"))


def spare(num_bytes: int) -> None:
    """From now on this process gets so much more memory and no more."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + num_bytes, -1))


def drawn(folder: Path, *, batch: int) -> tuple[list[list[str]], int]:
    """Texts, and how many rows the engine took at once in the end."""
    sampler = open_sampler("torch", folder, Place(device="cpu", threads=1, dtype="float32", batch=batch))
    assert isinstance(sampler, TorchSampler)
    return [[one.text for one in row] for row in sampler.sample(PROMPTS, **DRAWS)], sampler._batch  # type: ignore[arg-type]


def test_sampling_goes_on_with_fewer_rows_and_the_same_solutions(folder: Path, tmp_path: Path):
    """In a process of its own: a used one has room left over that no limit takes away."""
    out = tmp_path / "found.json"
    code = f"from faults.test_out_of_memory import draw_in_little; draw_in_little({str(folder)!r}, {str(out)!r})"
    places = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}", "MALLOC_ARENA_MAX": "1"}
    subprocess.run([sys.executable, "-c", code], env=places, check=True, cwd=REPOSITORY)
    found = read_json(out)
    assert 256 <= found["batch"] < 16_384
    assert found["texts"] == drawn(folder, batch=256)[0]


def draw_in_little(folder: str, out: str) -> None:
    """What the test above has another process do."""
    drawn(Path(folder), batch=64)  # what is loaded on the way
    spare(60 * 2**20)
    texts, batch = drawn(Path(folder), batch=16_384)
    write_json(Path(out), {"texts": texts, "batch": batch})


def test_what_cannot_be_cut_names_the_settings(folder: Path, monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    monkeypatch.setattr("rft.core.sampling.torch_backend._Decoding.run", refused)
    runtime = tiny("runtime.sample_batch=64").runtime
    with (
        pytest.raises(OutOfMemoryError, match=r"lower runtime.sample_batch \(it is 64\)"),
        HeldSampler().of("torch", folder, dtype="float32", device="cpu", runtime=runtime) as sampler,
    ):
        sampler.sample(PROMPTS, **DRAWS)  # type: ignore[arg-type]


SELECT = """
import resource, sys
from rft import select
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 15 * 2**20, -1))
sys.exit(select.main(sys.argv[1:]))
"""


def test_the_tool_of_selection_says_what_to_do_and_leaves_the_former_result(tmp_path: Path):
    rows = (
        {"id": f"q{i}", "gold": "7", "text": f"{i}+7=<<{i}+7={i + 7}>>{i + 7} #### 7", "draw": 0} for i in range(40_000)
    )
    write_jsonl(tmp_path / "in.jsonl", rows)
    (tmp_path / "out.jsonl").write_text("the former result\n")
    command = [sys.executable, "-c", SELECT, str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.jsonl")]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert done.stderr.startswith("rft.select: memory does not hold all rows at once")
    assert (tmp_path / "out.jsonl").read_text() == "the former result\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Hungry(Stage[Path]):
    """Takes more memory than there is."""

    kind: ClassVar[str] = "hungry"
    version: ClassVar[int] = 1

    def run(self, context: StageContext) -> Done:
        rows: list[Any] = []
        while True:
            rows.append(bytearray(2**20))

    def read(self, folder: Path) -> Path:
        return folder


def test_a_stage_without_memory_is_named_and_leaves_nothing(tmp_path: Path):
    store = Store(tmp_path / "store")

    def work() -> None:
        spare(40 * 2**20)
        with (
            pytest.raises(MemoryError, match=r"^memory does not hold select k=100: run fewer workers at once"),
            StageRunner(store, tiny("runtime.device=cpu").runtime) as run,
        ):
            run(Hungry(label="select k=100"))

    assert in_child(work) == 0
    assert list(store.entries()) == []
    assert not [*(store.root / ".scratch").iterdir(), *(store.root / ".locks").iterdir()]
