"""The files around the code: what a fresh clone is checked with, and with which environment."""

from __future__ import annotations

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parent.parent


def recipe(target: str) -> str:
    """What make would run for a target in a fresh clone."""
    words = ["make", "--always-make", "--dry-run", "VENV=.venv-none", target]
    return subprocess.check_output(words, cwd=REPOSITORY, text=True, stdin=subprocess.DEVNULL)


def test_a_study_installs_no_test_tools():
    assert re.search(r"pip install .*-e \.$", recipe("study"), re.MULTILINE)
    assert "[dev]" not in recipe("study")


def test_checks_install_them_on_top_of_what_a_study_has():
    for target in ("test", "lint", "types", "bench"):
        text = recipe(target)
        assert '-e ".[dev]"' in text
        assert re.search(r"pip install .*-e \.$", text, re.MULTILINE)


def test_the_workflow_runs_the_one_script_and_gives_it_gsm8k():
    job = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())["jobs"]["run"]
    assert job["steps"][-1]["run"] == ".ci/run"
    assert "GSM8K_DIR" in job["steps"][-1]["env"]
    assert (REPOSITORY / ".ci/run").stat().st_mode & 0o111


def test_commit_hooks_are_the_checks_of_make():
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repo["repo"] for repo in hooks] == ["local"]
    entries = " ".join(hook["entry"] for hook in hooks[0]["hooks"])
    for check in re.findall(r"-m (ruff check|ruff format|mypy)", recipe("lint") + recipe("types")):
        assert check in entries


def test_the_real_study_asks_for_its_word_problems_before_it_installs_anything(tmp_path: Path):
    words = ["make", "--always-make", "VENV=.venv-none", f"MWP={tmp_path}", "real-study"]
    done = subprocess.run(words, cwd=REPOSITORY, text=True, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    assert done.returncode != 0
    assert "MWP=FOLDER" in done.stdout + done.stderr
    assert not (REPOSITORY / ".venv-none").exists()


def pinned(file: str) -> dict[str, tuple[str, str]]:
    """Version and digest ('' where it has none) by package."""
    lines = [line for line in (REPOSITORY / file).read_text().splitlines() if line and not line.startswith("#")]
    found = [re.fullmatch(r"([\w.-]+)==(\S+)(?: --hash=sha256:([0-9a-f]{64}))?", line) for line in lines]
    assert all(found), lines
    return {canonicalize_name(one[1]): (one[2], one[3] or "") for one in found if one}


def test_the_lock_has_a_digest_for_each_package_in_the_version_that_is_known_to_work():
    lock, known = pinned("requirements.lock"), pinned("constraints.txt")
    assert all(digest for _, digest in lock.values())
    assert {name: version for name, (version, _) in lock.items()} == {name: known[name][0] for name in lock}


def test_the_lock_holds_all_that_a_study_needs_but_torch():
    """Without it pip would fetch the rest by name alone; it is told not to, and a study would not start."""
    lock = pinned("requirements.lock")
    asked = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {name for name in needed(asked) if name not in lock} == {"torch"}


def needed(requirements: list[str]) -> set[str]:
    """Packages behind requirements in this environment, but those behind torch, which come with it."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        one = waiting.pop()
        name = canonicalize_name(one.name)
        if name in found or (one.marker is not None and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        if name == "torch":
            continue
        try:
            waiting += [Requirement(text) for text in metadata.requires(one.name) or []]
        except metadata.PackageNotFoundError:
            pytest.skip(f"{name} is not installed here")
    return found


def test_the_modules_of_tests_that_begin_first_are_there():
    from tests.conftest import HERE, LONGEST

    assert [name for name in LONGEST if not (HERE / name).is_file()] == []
