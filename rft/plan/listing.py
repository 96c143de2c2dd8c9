"""Names of the methods and of their options, read from source: help answers without importing a stage.

>>> method_names()[:2]
['expert_iteration', 'fresh_human']
>>> option_names().get("sft_matched")
['to']

Importing the methods takes longer than all the rest of help does. What is read is the form in which every file of
rft.methods stands: a class decorated with `METHODS.add("name")`, its `options` a dataclass of the same file.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

METHODS_FOLDER = Path(__file__).resolve().parent.parent / "methods"


@dataclass(frozen=True)
class Listed:
    """A method as its file declares it."""

    name: str
    options: tuple[str, ...]  # names of its options' fields


def method_names() -> list[str]:
    """The package's methods, sorted."""
    return [one.name for one in _listed()]


def option_names() -> dict[str, list[str]]:
    """The options of each method that has some."""
    return {one.name: list(one.options) for one in _listed() if one.options}


@functools.cache
def _listed() -> tuple[Listed, ...]:
    found = (one for path in METHODS_FOLDER.glob("*.py") for one in _declared(ast.parse(path.read_bytes())))
    return tuple(sorted(found, key=lambda one: one.name))


def _declared(module: ast.Module) -> Iterator[Listed]:
    """The methods that a file adds."""
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    for one in classes.values():
        for decorator in one.decorator_list:
            match decorator:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name("METHODS"), attr="add"), args=[ast.Constant(str(name))]
                ):
                    options = classes.get(_options_class(one))
                    yield Listed(name, tuple(_fields(options)) if options is not None else ())


def _options_class(method: ast.ClassDef) -> str:
    """The class that a method names as its options; empty for none."""
    for node in method.body:
        match node:
            case ast.Assign(targets=[ast.Name("options")], value=ast.Name(name)):
                return name
    return ""


def _fields(options: ast.ClassDef) -> Iterator[str]:
    for node in options.body:
        match node:
            case ast.AnnAssign(target=ast.Name(name)):
                yield name
