"""The code behind a stage: an oracle that watches what really runs, and edits of a copied package."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from composing import tiny

import rft
import rft.core.sampling.held  # what an import runs is no stage's
from rft.execute.cell import plan_cell
from rft.execute.code import BORDER, behind, keep
from rft.execute.stages import StageRunner
from rft.infra.code import changed_parts
from rft.infra.store import Store
from rft.stages.stage import Stage

PACKAGE = Path(rft.__file__).parent
KINDS = {
    "select": "rft.stages.select:Select",
    "evaluate": "rft.stages.evaluate:Evaluate",
    "finetune": "rft.stages.finetune:Finetune",
    "human_set": "rft.stages.trainset:HumanSet",
    "world_problems": "rft.stages.problems:WorldProblems",
}


NAMELESS = ("<", "__create_fn__")  # modules, lambdas and generators; what dataclass() makes


def watched(run: Callable[[], object]) -> set[str]:
    """'module:name' of every definition of the package whose code runs."""
    seen: set[str] = set()

    def note(frame: FrameType, event: str, arg: Any) -> None:
        name = frame.f_globals.get("__name__", "")
        top = frame.f_code.co_qualname.partition(".")[0]
        if event == "call" and name.startswith("rft.") and not top.startswith(NAMELESS):
            seen.add(f"{name}:{top}")

    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
    return seen


def test_all_that_a_stage_runs_is_among_its_code(tmp_path: Path):
    """Import-time code, what the stage is given (its context), and dataclasses' own methods are no part of it."""
    store = Store(tmp_path / "store")
    cell = plan_cell(tiny("method=rft", "k=2", f"store.root={store.root}"))
    missed: dict[str, set[str]] = {}
    with StageRunner(store, cell.cfg.runtime) as runner:
        for stage in cell.plan.stages:
            missed[stage.kind] = missed.get(stage.kind, set()) | _missed(stage, runner)
    assert len(missed) > 10
    assert {kind: names for kind, names in missed.items() if names} == {}


FRAME = ("rft.execute.", "rft.infra.", "rft.config", "rft.registry:load_plugins")  # what runs a stage, whichever it is


def _missed(stage: Stage[Any], runner: StageRunner) -> set[str]:
    code = behind(stage)
    assert code is not None
    keep(code, runner.store)  # the runner does so too, with functions that stages use
    ran = watched(lambda: runner(stage))
    border = tuple(f"{name}:" for name in BORDER)
    held = () if stage.samples else ("rft.core.sampling.",)  # the runner opens and closes it
    return {name for name in ran if not name.startswith((*FRAME, *border, *held))} - set(code.parts)


def digests(package: Path) -> dict[str, str]:
    """Of the code behind some stages, as another process sees it in this copy of the package."""
    code = (
        "import json, importlib; from rft.execute.code import behind\n"
        f"kinds = {KINDS!r}\n"
        "found = {k: v.partition(':') for k, v in kinds.items()}\n"
        "print(json.dumps({k: behind(getattr(importlib.import_module(m), n)).digest for k, (m, _, n) in found.items()}))"
    )
    words = [sys.executable, "-c", code]
    out = subprocess.run(words, cwd=package.parent, capture_output=True, text=True, check=True).stdout
    found: dict[str, str] = json.loads(out)
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = tmp_path_factory.mktemp("copy") / "rft"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    return package


@pytest.fixture(scope="module")
def was(copy: Path) -> dict[str, str]:
    return digests(copy)


@pytest.mark.parametrize(
    ("file", "before", "after", "changed"),
    [
        ("text/answers.py", "< 1e-4", "< 1e-3", {"select", "evaluate"}),
        ("text/selection.py", 'OVER_CAP = "', 'OVER_CAP = "x', {"select"}),
        ("stages/trainset.py", "rows = human_examples(human) + ", "rows = ", {"human_set"}),
        ("core/sampling/torch_backend.py", "class TorchSampler", "NEW = 1\n\n\nclass TorchSampler", set()),
        ("text/answers.py", "def _same_float(", "# a remark\ndef _same_float(", set()),
        ("methods/sft.py", "class ", "NEW = 1\n\n\nclass ", set()),
        (
            "config/schema.py",
            "@dataclass\nclass TuneGridConfig",
            "NEW = 1\n\n\n@dataclass\nclass TuneGridConfig",
            set(),
        ),
    ],
)
def test_an_edit_changes_the_code_of_the_stages_that_run_it(
    copy: Path, was: dict[str, str], file: str, before: str, after: str, changed: set[str]
):
    path = copy / file
    text = path.read_text()
    assert before in text
    try:
        path.write_text(text.replace(before, after, 1))
        now = digests(copy)
    finally:
        path.write_text(text)
    assert {kind for kind in KINDS if was[kind] != now[kind]} == changed


def test_definitions_that_differ_come_or_go_are_named():
    assert changed_parts({"a": "1", "b": "2"}, {"b": "3", "c": "4"}) == ["a", "b", "c"]
