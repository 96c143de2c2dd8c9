"""What `pip install .` gives: a wheel with all its data, and an `rft` that works where no checkout is near."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from composing import TINY

from rft.records import RECORD_FILE, Record, read_json

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = ("rft", "analysis", "hydra_plugins", "conf", "pyproject.toml", "setup.py", "README.md", "LICENSE")


def command(*words: str | Path, folder: Path, **environment: str) -> str:
    """Run to a good end in `folder`, with nothing of this checkout on the path; returns what was printed."""
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**own, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: leftovers of earlier builds in the checkout would end up in it."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCE:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copyfile
        copy(REPOSITORY / name, source / name)
    pip = (sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation", "-w", out)
    command(*pip, source, folder=source)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`bin` of a fresh environment with the wheel in it; torch and the rest are borrowed from this one."""
    home = tmp_path_factory.mktemp("venv")
    command(sys.executable, "-m", "venv", "--without-pip", home, folder=home)
    site = next(home.glob("lib/python*/site-packages"))
    (site / "borrowed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    python = home / "bin" / "python"
    command(
        sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel, folder=home
    )
    where = command(python, "-c", "import rft, analysis; print(rft.__file__, analysis.__file__)", folder=home)
    assert all(Path(path).is_relative_to(site) for path in where.split())
    return home / "bin"


def test_the_wheel_holds_every_file_that_the_code_reads(wheel: Path):
    held = set(zipfile.ZipFile(wheel).namelist())
    conf = {f"rft/conf/{path.relative_to(REPOSITORY / 'conf')}" for path in (REPOSITORY / "conf").rglob("*.*")}
    conf = {name for name in conf if name.endswith(".yaml")}
    assert len(conf) > 40
    data = {
        str(path.relative_to(REPOSITORY))
        for name in ("rft", "analysis", "hydra_plugins")
        for path in (REPOSITORY / name).rglob("*.*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {
        "rft/py.typed",
        "rft/data/heldout.txt",
        "analysis/data/paper_results.csv",
        "analysis/explore/assets/index.html",
    } <= data
    assert conf | data <= held
    assert not [name for name in held if name.startswith(("tests", "conf", "setup"))]


def test_license_and_citation_agree_with_the_package(wheel: Path):
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert project["license"] == "MIT"
    assert (REPOSITORY / "LICENSE").read_text().startswith("MIT License")
    assert any(name.endswith("licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())
    citation = (REPOSITORY / "CITATION.cff").read_text()
    assert f"version: {project['version']}" in citation
    assert "license: MIT" in citation


@pytest.mark.slow
def test_an_installed_rft_plans_runs_and_draws_anywhere(installed: Path, tmp_path: Path):
    rft = installed / "rft"
    _users_project(tmp_path)
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "nano-own.yaml").write_text(
        (REPOSITORY / "conf/model/nano-xs.yaml").read_text().replace("name: nano-xs", "name: nano-own")
    )
    plan = command(rft, "plan", "+study=quickstart", folder=tmp_path)
    assert "nano-s_icl_s0" in plan
    assert not (tmp_path / "multirun_outputs").exists()
    own = ("--config-dir", "mine", "model=nano-own", "union=[nano-own,nano-xs]", "k=2", "study_name=s")
    command(rft, "run", *own, *TINY, folder=tmp_path)
    study = tmp_path / "multirun_outputs" / "single" / "s"
    record = Record.from_json(read_json(next(study.glob(f"*/{RECORD_FILE}"))))
    assert record.scores["maj1@1"].n == 16
    assert record.provenance["commit"] is None
    assert "1 of 1 cells have a record" in command(rft, "status", study, folder=tmp_path)
    command(rft, "plot", study, folder=tmp_path)
    assert (study / "figures" / "fits.json").is_file()
    command(rft, "plot", "--paper", "--out", "paper", folder=tmp_path)
    assert list((tmp_path / "paper").glob("*.svg"))
    assert command(rft, "--version", folder=tmp_path) == f"rft {_version()}\n"


def _users_project(folder: Path) -> None:
    """A git checkout that has nothing to do with rft: its commit must not end up in records."""
    command("git", "init", "-q", ".", folder=folder)
    who = ("-c", "user.name=user", "-c", "user.email=user@example.org")
    command("git", *who, "commit", "-q", "--allow-empty", "-m", "theirs", folder=folder)


def _version() -> str:
    return str(tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"])
