"""The examples in module docstrings of the light layers are run; those that need torch, disk or a network are prose."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "rft"
HEAVY = ("torch", "transformers", "wandb", "vllm", "ctranslate2")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def has_examples(path: Path) -> bool:
    return ">>> " in path.read_text(encoding="utf-8")


WITH_EXAMPLES = [module_name(path) for path in sorted(PACKAGE.rglob("*.py")) if has_examples(path)]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_are_true(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)  # no example may rest on where it is run
    found = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0, f"{name}: see the captured output"


@pytest.mark.parametrize("path", sorted((PACKAGE / "text").rglob("*.py")), ids=module_name)
def test_every_module_of_the_text_layer_has_one(path: Path):
    assert has_examples(path)


def test_they_import_nothing_heavy():
    code = f"import sys, importlib; [importlib.import_module(name) for name in {WITH_EXAMPLES!r}]"
    code += f"; print([name for name in {HEAVY!r} if name in sys.modules])"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip() == "[]"
