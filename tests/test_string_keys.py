"""The middle (configuration, plan, methods, stages, execution) reads fields of classes, not keys of dictionaries.

A row that is written to disk has one class that knows its keys, so that nothing else spells them. The ceilings lie a little
above what there is, well below what there was: 341 string subscripts before the middle was rebuilt, and 41 parameters that
are a `Mapping[str, Any]`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "rft"
FOLDERS = ("config", "plan", "methods", "stages", "execute")
MAX_SUBSCRIPTS = 34
MAX_PER_1000_LINES = 8
MAX_MAPPINGS = 7


def sources() -> list[str]:
    files = [path for folder in FOLDERS for path in sorted((PACKAGE / folder).rglob("*.py"))]
    return [path.read_text() for path in (*files, PACKAGE / "records.py", PACKAGE / "api.py")]


def string_subscripts(source: str) -> Iterator[str]:
    """The strings that stand in square brackets behind a value; annotations are none (they are names here)."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Subscript(slice=ast.Constant(str(key))):
                yield key


def test_they_are_found():
    assert list(string_subscripts("a['x'] = b[\"y.z\"]['w']\n['no']\nc[0], d[name]")) == ["x", "w", "y.z"]


def test_string_keys_are_few():
    texts = sources()
    found = [key for text in texts for key in string_subscripts(text)]
    num_lines = sum(text.count("\n") for text in texts)
    assert len(found) <= MAX_SUBSCRIPTS, (
        f"{len(found)} string subscripts: give the row a class with fields. {sorted(found)}"
    )
    assert 1000 * len(found) / num_lines <= MAX_PER_1000_LINES


def test_parameters_that_are_mappings_of_anything_are_few():
    parameters = [node for text in sources() for node in ast.walk(ast.parse(text)) if isinstance(node, ast.arg)]
    found = [one.arg for one in parameters if one.annotation and "Mapping[str, Any]" in ast.unparse(one.annotation)]
    assert len(found) <= MAX_MAPPINGS, (
        f"{found} are mappings of anything: pass a dataclass, whose fields say what is meant"
    )
