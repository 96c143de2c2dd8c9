"""Calls shown in module docstrings fit the functions and classes that they name: else whoever copies one gets an error."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
MODULES = sorted(
    path
    for package in ("rft", "analysis")
    for path in (REPOSITORY / package).rglob("*.py")
    if path.name != "__main__.py"
)
LEFT_OUT = ast.Constant(value=...)


def shown_calls(text: str, names: set[str]) -> Iterator[ast.Call]:
    """The calls of any of some names in the lines of a docstring, as far as a line is Python."""
    for line in text.splitlines():
        code = line.strip().removeprefix(">>> ").removeprefix("... ")
        for ending in ("", " pass"):
            try:
                tree = ast.parse(code + ending)
            except SyntaxError:
                continue
            yield from (
                node for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
            )  # fmt: skip
            break


def misfit(call: ast.Call, target: Any) -> str | None:
    """Why a call does not fit; `...` among its arguments stands for others."""
    signature = inspect.signature(target)
    given = [argument for argument in call.args if ast.dump(argument) != ast.dump(LEFT_OUT)]
    partial = len(given) < len(call.args)
    if any(isinstance(argument, ast.Starred) for argument in given) or any(word.arg is None for word in call.keywords):
        return None
    bind = signature.bind_partial if partial else signature.bind
    try:
        bind(*given, **{str(word.arg): word.value for word in call.keywords})
    except TypeError as error:
        return f"{ast.unparse(call)}: {error}; it is {signature}"
    return None


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_calls_in_a_modules_docstring_fit(path: Path) -> None:
    tree = ast.parse(path.read_text())
    text = ast.get_docstring(tree) or ""
    own = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
    }
    calls = list(shown_calls(text, own))
    if not calls:
        return
    name = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
    module = importlib.import_module(name)
    found = [why for call in calls if (why := misfit(call, getattr(module, str(call.func.id)))) is not None]  # type: ignore[attr-defined]
    assert not found, "\n".join(found)
