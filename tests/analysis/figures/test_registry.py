"""Figures register themselves: order, needs, figures of plug-ins."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.figures.registry import FIGURES, draws

ROOT = Path(__file__).resolve().parents[3]
PLUGIN = """
from analysis.figures.drawing import Drawing
from analysis.figures.registry import draws
from analysis.load.query import where
from analysis.style import new_figure


@draws("my_points", order={order})
def my_points(points, outcomes):
    figure, axes = new_figure(width=2, height=2)
    axes[0][0].plot([p.estimate.value for p in where(points, method="sft")])
    return Drawing("my_points", figure, [], "caption {order}")
"""


def plot(study: Path, *extra: str, path: Path) -> str:
    """In a process of its own, which reads the plug-in anew; of each figure one file alone, for time."""
    code = "import sys; from pictures import pictures; from analysis.plot_scaling import main\n"
    code += 'with pictures("png"): sys.exit(main(sys.argv[1:]))'
    command = [sys.executable, "-c", code, str(study), *extra]
    env = {"PYTHONPATH": f"{path}:{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=path, env=env, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_plugins_figure_is_drawn_in_its_place_and_again_when_changed(tmp_path: Path):
    study = write_study(
        tmp_path / "s", specs=grid(models=("nano-m",), fracs=(1.0,)), truth=Truth(num_items=40, num_full=32)
    )
    plugin = tmp_path / "my_figures.py"
    plugin.write_text(PLUGIN.format(order=18))
    text = plot(study, "--plugins", "my_figures", "--report", path=tmp_path)
    drawn = [Path(line.split()[1]).stem for line in text.splitlines() if line.startswith("figure: ")]
    assert drawn[:4] == ["accuracy_vs_data", "rft_over_sft", "my_points", "accuracy_vs_k"]
    assert "caption 18" in (study / "figures" / "report.html").read_text()
    plugin.write_text(PLUGIN.format(order=35))
    text = plot(study, "--plugins", "my_figures", path=tmp_path)
    drawn = [Path(line.split()[1]).stem for line in text.splitlines() if line.startswith("figure: ")]
    assert drawn[:4] == ["accuracy_vs_data", "rft_over_sft", "accuracy_vs_k", "my_points"]
    assert "my_points" not in plot(study, path=tmp_path)
    assert not (study / "figures" / "my_points.png").exists()


def test_an_absent_plugin_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from analysis.plot_scaling import main

    study = write_study(tmp_path / "s", specs=grid(models=("nano-m",), fracs=(1.0,)), truth=Truth(num_items=10))
    assert main([str(study), "--plugins", "no_such_module"]) == 2
    assert "no_such_module" in capsys.readouterr().err


def test_a_figure_that_needs_what_there_is_not_is_refused():
    with pytest.raises(ValueError, match=r"\['colours'\]: figures are given points, .*outcomes"):

        @draws("wrong", order=1)
        def wrong(points: object, colours: object) -> None: ...

    assert "wrong" not in FIGURES


def test_a_taken_name_is_refused():
    with pytest.raises(ValueError, match=r"'accuracy_vs_k' is there already, of analysis\.figures\.paths"):

        @draws("accuracy_vs_k", order=1)
        def other(points: object) -> None: ...


def test_orders_differ_and_no_list_names_the_figures():
    assert len({figure.order for figure in FIGURES.values()}) == len(FIGURES) == 18
    tree = ast.parse((ROOT / "analysis" / "study.py").read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {m for m in modules if m.startswith("analysis.figures.")} == {
        "analysis.figures.drawing",
        "analysis.figures.registry",
    }
