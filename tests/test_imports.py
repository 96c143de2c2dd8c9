"""The import ladder: what must start fast and what must not know of what."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "transformers", "wandb", "vllm", "ctranslate2")
LIGHT = (
    "rft.records",
    "rft.config",
    "rft.text.world",
    "rft.text.selection",
    "rft.text.answers",
    "rft.grade",
    "rft.select",
)
LIGHT += (
    "rft.votes",
    "rft.run",
    "rft.plan.typed",
    "rft.plan.cell",
    "rft.execute.sweep",
    "analysis.load.studies",
    "analysis.plot_scaling",
)
LIGHT += (
    "rft.cli",
    "rft.conf_path",
    "rft.usage",
    "rft.cli.status",
    "rft.cli.plot",
    "rft.cli.archive",
    "rft.cli.explore",
    "analysis.explore.server",
)


@pytest.mark.parametrize("module", LIGHT)
def test_starts_without_anything_heavy(module: str):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout
    assert out.strip() == "[]"


def imported(path: Path) -> set[str]:
    """Names of the modules that a file imports, wherever the import stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = node.module in ("rft", "analysis")
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if inside else {node.module}
    return names


ABOVE_STAGES = ("rft.plan", "rft.methods", "rft.execute", "rft.run", "analysis", "hydra")
ABOVE_CORE = ("rft.stages", *ABOVE_STAGES)
ABOVE_TEXT = ("rft.core", "rft.infra", *ABOVE_CORE)


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("rft/archive", ("rft.config", "rft.text", *ABOVE_TEXT)),
        ("rft/config", ("rft.text", *ABOVE_TEXT)),
        ("rft/text", ABOVE_TEXT),
        ("rft/core", ("rft.infra", *ABOVE_CORE, "wandb")),
        ("rft/infra", ("rft.core", *ABOVE_CORE)),
        ("rft/stages", (*ABOVE_STAGES, "rft.infra.store", "rft.infra.entry", "rft.infra.tracking", "wandb")),
        ("rft/plan", ("rft.methods", "rft.execute", "rft.run", "analysis", "torch")),
        ("rft/methods", ("rft.execute", "rft.run", "analysis", "hydra", "wandb", "torch")),
        ("rft/export", ABOVE_STAGES),
        ("rft/check", ("rft.run", "analysis", "wandb")),
        ("rft/execute", ("rft.check", "rft.methods", "rft.run", "analysis", "hydra")),
        ("analysis", ("rft.config", "rft.text", *(name for name in ABOVE_TEXT if name != "analysis"), "torch")),
    ],
)
def test_imports_go_up_the_ladder_only(folder: str, forbidden: tuple[str, ...]):
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        for name in imported(path):
            assert not any(name == bad or name.startswith(f"{bad}.") for bad in forbidden), f"{path} imports {name}"


LADDER_OF_ANALYSIS = (
    ("sizes",),
    ("style", "stats"),
    ("load",),
    ("paper", "calibration", "wandb_workspace"),
    ("compare",),
    ("plan", "claims", "tables"),
    ("figures",),
    ("report",),
    ("study",),
    ("plot_scaling", "predict", "diff", "explore"),
    ("docs",),
)


def test_packages_of_the_analysis_import_what_stands_below_them_alone():
    rungs = {name: number for number, names in enumerate(LADDER_OF_ANALYSIS) for name in names}
    folder = REPOSITORY / "analysis"
    for path in sorted(folder.rglob("*.py")):
        own = path.relative_to(folder).with_suffix("").parts[0]
        others = {name.split(".")[1] for name in imported(path) if name.startswith("analysis.")} - {own}
        for other in others if own != "__init__" else ():
            assert rungs[other] < rungs[own], f"{path} imports analysis.{other}"


OF_ANALYSIS = {
    "rft.changes",
    "rft.sweeps",
    "rft.archive.files",
    "rft.archive.reading",
    "rft.archive.seals",
    "rft.archive.sound",
    "rft.records",
    "rft.scores",
    "rft.votes",
    "rft.whole",
    "rft.registry",
}  # the registry is that of figures


def test_analysis_imports_of_rft_only_what_both_share():
    for path in sorted((REPOSITORY / "analysis").rglob("*.py")):
        assert {name for name in imported(path) if name.split(".")[0] == "rft"} <= OF_ANALYSIS, path


def test_archives_and_sweeps_need_the_standard_library_and_records_alone():
    """Every start of the analysis loads them."""
    for path in [
        *(REPOSITORY / "rft" / "archive").glob("*.py"),
        REPOSITORY / "rft" / "sweeps.py",
        REPOSITORY / "rft" / "changes.py",
        *(REPOSITORY / "rft" / f"{name}.py" for name in ("records", "shape", "whole")),
    ]:
        shared = ("rft.records", "rft.sweeps", "rft.shape", "rft.whole")
        own = {name for name in imported(path) if name in shared or name.startswith("rft.archive")}
        others = {name.split(".")[0] for name in imported(path) - own}
        assert others <= sys.stdlib_module_names, path


def test_nothing_stands_on_the_command_or_the_library_for_users():
    for path in [p for folder in ("rft", "analysis", "hydra_plugins") for p in (REPOSITORY / folder).rglob("*.py")]:
        if path.parent.name != "cli":
            assert not any(name.startswith(("rft.cli", "rft.api")) for name in imported(path)), path


def test_no_text_is_ever_executed():
    for path in [p for folder in ("rft", "analysis", "hydra_plugins") for p in (REPOSITORY / folder).rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{path}:{node.lineno}"
