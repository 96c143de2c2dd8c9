"""examples/own_study: its script runs from own data to figures, and its page holds the script's commands and no others."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from rft.records import Record, read_json

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLE = Path("examples/own_study")
PAGE = REPOSITORY / "docs/own-study.md"
INPUTS = Path("multirun_outputs/own_inputs")
MODELS = ("tiny-gpt2", "tiny-neox", "tiny-llama", "small-llama")
BUDGET_S = 270  # of processor time, half as much again as at a load of ten; three minutes of two cores are 360
PLANS = """
import json, sys
import rft.cli
for words in json.loads(sys.argv[1]):
    sys.argv[1:] = []
    print("PLAN", flush=True)
    assert rft.cli.call(["plan", *words]) == 0
"""


def commands() -> list[list[str]]:
    """The words of each command of the script."""
    lines = (REPOSITORY / EXAMPLE / "own_study.sh").read_text(encoding="utf-8").splitlines()
    return [shlex.split(line) for line in lines if line and not line.startswith("#")]


def on_the_page() -> Iterator[list[str]]:
    """The commands of the page: its indented lines, with what is continued on the next."""
    for line in re.sub(r"\\\n\s*", "", PAGE.read_text(encoding="utf-8")).splitlines():
        words = shlex.split(line, comments=True) if line.startswith("    ") else []
        if words[:1] in (["rft"], ["python"]):
            yield words


def test_the_page_has_the_commands_of_the_script_in_their_order():
    assert list(on_the_page()) == commands()


def test_the_files_on_the_page_are_those_of_the_example():
    text = PAGE.read_text(encoding="utf-8")
    for name in ("data/stories.yaml", "prompt/ask.yaml", "model/tiny-llama.yaml", "study/own.yaml", "data/longer.yaml"):
        body = (REPOSITORY / EXAMPLE / name).read_text(encoding="utf-8")
        assert f"```yaml\n{body}```" in text, name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A place with the example alone, as if it were one's own."""
    shutil.copytree(REPOSITORY / EXAMPLE, tmp_path / EXAMPLE)
    return tmp_path


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    """With `rft` and `python` of this checkout on the path."""
    programs = {"rft": '-c "import rft.cli; rft.cli.main()" "$@"', "python": '"$@"'}
    (folder / "bin").mkdir()
    for name, arguments in programs.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\nexec {sys.executable} {arguments}\n")
        (folder / "bin" / name).chmod(0o755)
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}


def inputs_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_inputs", REPOSITORY / EXAMPLE / "make_inputs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_every_command_that_computes_is_planned(
    folder: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    """On models that have read nothing: a second, and the same plan."""
    made = inputs_module()
    monkeypatch.setattr(made, "pretrain", lambda model, ids, steps: 0.0)
    made.main(folder / INPUTS)
    runs = [words[2:] for words in commands() if words[:2] == ["rft", "run"]]
    done = subprocess.run(
        [sys.executable, "-c", PLANS, json.dumps(runs)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [int(number) for number in re.findall(r"^cells: (\d+) of \d+ jobs", done.stdout, re.MULTILINE)]
    assert cells == [18, 6, 24, 2]
    assert "engine ctranslate2" not in done.stdout
    assert not (folder / "multirun_outputs/own").exists()


def test_the_inputs_are_what_they_say():
    """Golds, steps and the pool by another count: Python's own sums of what the text tells."""
    made = inputs_module()
    rng = made.random.Random(7)
    told = made.stories(rng, terms=4)
    for _ in range(50):
        story = next(told)
        signs = re.findall(r"(has|and|finds|loses) (\d)", story.text)
        result = sum(-int(number) if word == "loses" else int(number) for word, number in signs)
        assert story.result == result > 0
        for order in (range(4), made.orders(story, rng)):
            equations = re.findall(r"<<(.*?)=(-?\d+)>>", story.steps(order))
            assert all(eval(left) == int(right) for left, right in equations)
            assert int(equations[-1][1]) == result


def records(study: Path) -> list[Record]:
    return [Record.from_json(read_json(path)) for path in sorted(study.glob("*/record.json"))]


@pytest.mark.slow
def test_the_script_goes_from_own_data_to_figures_within_three_minutes_of_two_cores(
    folder: Path, environment: dict[str, str]
):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    script = ["sh", "-e", str(EXAMPLE / "own_study.sh")]
    done = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    outputs = folder / "multirun_outputs"
    all_cells = records(outputs / "own")
    check_cells(all_cells)
    assert (outputs / "own/figures/report.html").exists() or list((outputs / "own/figures").glob("*.png"))
    assert list((outputs / "own/figures/longer").glob("*.png"))
    assert (outputs / "own/figures/prediction.csv").is_file()
    check_export(outputs / "own_export", all_cells)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < BUDGET_S


def check_cells(cells: list[Record]) -> None:
    """A recipe chosen for each model, a second test set on the first 24, the foreign pool in the last two."""
    assert len(cells) == 26
    chosen = {(one.model["name"], one.data["choice"]["chosen"]["lr"]) for one in cells}
    assert sorted(name for name, _ in chosen) == sorted(MODELS)
    assert sum([further.name for further in one.sets] == ["longer"] for one in cells) == 24
    mixed = [one for one in cells if "teacher" in one.setting.get("union", ())]
    assert {one.setting["method"] for one in mixed} == {"rft", "sft_matched"}
    pools = [one.data["imported_pools"]["teacher"] for one in mixed]
    assert all(pool["provenance"] == "imported" and pool["by_own_id"] == 256 - 48 for pool in pools)


def check_export(folder: Path, cells: list[Record]) -> None:
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in (folder / "data/train.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert {row["source"] for row in rows} == {"human", "kept"}
    assert (folder / "model/model.safetensors").is_file()
