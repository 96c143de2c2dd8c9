"""The code that something rests on: the definitions of this package that can be reached from it, each with a digest.

    code = code_of(("rft.stages.select:Select",), aside=("rft.stages.stage",), skipped=("run",))
    code.digest                                   # '5f0c4a1e...'
    code.parts["rft.text.answers:grade"]          # '77ab01d2...'
    changed_parts(before, code.parts)             # ['rft.text.answers:grade']

Read from the source as it stands on disk, without running anything: names, attributes of imported modules, imports inside
functions, what is entered into a registry, modules named in strings. Comments, docstrings and layout do not count, nor do
definitions that nothing reaches: a new method or setting changes no stage's code. What is found by a computed name is not
seen; libraries are told by their versions (rft.infra.origin).
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rft.infra.digest import digest

PACKAGE = "rft"
FOLDER = Path(__file__).resolve().parents[1]
DIGITS = 16  # of a part's digest
LOOSE = "<module>"  # statements of a module that define nothing
_MODULE_NAME = re.compile(rf"{PACKAGE}(\.\w+)+")

Place = tuple[str, str]  # module, name defined in it


@dataclass(frozen=True)
class Code:
    """What was reached."""

    digest: str
    parts: Mapping[str, str]  # 'module:name' -> digest of the definition


def changed_parts(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Definitions that differ, came or went."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


@functools.cache
def code_of(roots: tuple[str, ...], *, aside: tuple[str, ...] = (), skipped: tuple[str, ...] = ()) -> Code:
    """The code behind definitions 'module:name'.

    Modules `aside` are not gone into. Methods named in `skipped`, and the fields of classes that have one, count of the roots
    and their bases alone: of a class that is merely mentioned they are somebody else's work.
    """
    search = _Search(frozenset(aside), frozenset(skipped))
    for root in roots:
        module, _, name = root.partition(":")
        search.enter_root((module, name))
    parts = dict(sorted(search.run().items()))
    return Code(digest(parts), parts)


@dataclass
class _Module:
    """One file: its definitions, what its names are imported from, and what is entered into a registry."""

    name: str
    defined: dict[str, list[ast.stmt]] = field(default_factory=dict)
    imported: dict[str, Place] = field(default_factory=dict)  # name -> (module, name in it; '' for the module itself)
    entered: dict[str, list[str]] = field(default_factory=dict)  # registry -> definitions that its decorator enters

    @staticmethod
    @functools.cache
    def read(name: str) -> _Module | None:
        """None for a module that is not of this package (nor loaded from a file of its own)."""
        path = _path_of(name)
        if path is None:
            return None
        module = _Module(name)
        for statement in _flat(ast.parse(path.read_bytes()).body):
            module._take(statement)
        return module

    def _take(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Import() | ast.ImportFrom():
                self.imported |= _imports(statement)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self.defined.setdefault(name, []).append(statement)
                for one in statement.decorator_list:
                    if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "add":
                        self.entered.setdefault(ast.unparse(one.func.value), []).append(name)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                for name in _targets(statement):
                    self.defined.setdefault(name, []).append(statement)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                self.defined.setdefault(LOOSE, []).append(statement)


class _Search:
    """Definitions as they are reached."""

    def __init__(self, aside: frozenset[str], skipped: frozenset[str]) -> None:
        self.aside, self.skipped = aside, skipped
        self.waiting: list[Place] = []
        self.roots: set[Place] = set()
        self.seen: set[Place] = set()

    def enter_root(self, place: Place) -> None:
        """A definition that counts with all its methods; of a class its bases too."""
        found = self._home(place)
        if found is None or found in self.roots:
            return
        self.roots.add(found)
        self.waiting.append(found)
        module = _Module.read(found[0])
        assert module is not None
        for statement in module.defined[found[1]]:
            for base in statement.bases if isinstance(statement, ast.ClassDef) else ():
                for name in _names(base):
                    self.enter_root((module.name, name))

    def run(self) -> dict[str, str]:
        """Digests of all that is reached."""
        parts: dict[str, str] = {}
        while self.waiting:
            place = self.waiting.pop()
            if place in self.seen:
                continue
            self.seen.add(place)
            module = _Module.read(place[0])
            assert module is not None
            left_out = frozenset[str]() if place in self.roots else self.skipped
            statements = [_without(one, left_out) for one in module.defined[place[1]]]
            parts[":".join(place)] = _digest_of(statements)
            for found in self._reached(module, place[1], statements):
                home = self._home(found)
                if home is not None:
                    self.waiting.append(home)
        return parts

    def _reached(self, module: _Module, name: str, statements: Sequence[ast.stmt]) -> Iterator[Place]:
        yield module.name, LOOSE
        for other in module.entered.get(name, ()):
            yield module.name, other
        for node in (node for one in statements for node in ast.walk(one)):
            match node:
                case ast.Name(id=found):
                    yield module.name, found
                case ast.Attribute(value=ast.Name(id=found), attr=attribute) if found in module.imported:
                    yield _inside(module.imported[found], attribute)
                case ast.Import() | ast.ImportFrom():
                    yield from _imports(node).values()
                case ast.Constant(value=str(text)) if _MODULE_NAME.fullmatch(text):
                    yield from _all_of(text)

    def _home(self, place: Place) -> Place | None:
        """Where a name is defined; None where that is nothing of ours, or set aside."""
        for _ in range(10):  # re-exports
            module = None if place[0] in self.aside else _Module.read(place[0])
            if module is None:
                return None
            if place[1] in module.defined:
                return place
            if place[1] not in module.imported:
                return None
            place = module.imported[place[1]]
        return None


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under `if` and `try` among them."""
    for one in body:
        if isinstance(one, ast.If | ast.Try):
            yield from _flat([*one.body, *one.orelse, *getattr(one, "finalbody", ())])
            yield from _flat(line for handler in getattr(one, "handlers", ()) for line in handler.body)
        else:
            yield one


def _imports(node: ast.Import | ast.ImportFrom) -> dict[str, Place]:
    """What a name of ours is imported from."""
    if isinstance(node, ast.Import):
        return {one.asname or one.name: (one.name, "") for one in node.names if one.name.startswith(f"{PACKAGE}.")}
    if node.module is None or node.module.partition(".")[0] != PACKAGE:
        return {}
    found = {}
    for one in node.names:
        whole = f"{node.module}.{one.name}"
        found[one.asname or one.name] = (node.module, one.name) if _path_of(whole) is None else (whole, "")
    return found


def _inside(place: Place, attribute: str) -> Place:
    """An attribute of what was imported, if that is a module; else the thing itself."""
    return (place[0], attribute) if not place[1] else place


def _all_of(text: str) -> Iterator[Place]:
    """Everything of a module, or of all modules of a package, that a string names."""
    path = _path_of(text)
    if path is None:
        return
    inner = sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else []
    for name in [text, *(f"{text}.{one.stem}" for one in inner if one.stem != "__init__")]:
        module = _Module.read(name)
        yield from ((name, defined) for defined in (module.defined if module is not None else ()))


@functools.cache
def _path_of(module: str) -> Path | None:
    first, _, rest = module.partition(".")
    if first != PACKAGE:
        file = getattr(sys.modules.get(module), "__file__", None)
        return Path(file) if file is not None and file.endswith(".py") and not _is_library(file) else None
    place = FOLDER.joinpath(*rest.split(".")) if rest else FOLDER
    candidates = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


def _is_library(file: str) -> bool:
    return any(part in ("site-packages", "dist-packages") or part.startswith("python3") for part in Path(file).parts)


def _targets(statement: ast.stmt) -> Iterator[str]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    for target in targets:
        if target is not None:
            yield from _names(target)


def _names(node: ast.AST) -> Iterator[str]:
    return (one.id for one in ast.walk(node) if isinstance(one, ast.Name))


def _without(statement: ast.stmt, skipped: frozenset[str]) -> ast.stmt:
    """A class without some of its methods, and where it has one of those without its fields: they are what that works on."""
    if not isinstance(statement, ast.ClassDef):
        return statement
    kept = [one for one in statement.body if getattr(one, "name", None) not in skipped]
    if len(kept) == len(statement.body):
        return statement
    kept = [one for one in kept if not isinstance(one, ast.AnnAssign)]
    return ast.ClassDef(
        name=statement.name,
        bases=statement.bases,
        keywords=statement.keywords,
        body=kept,
        decorator_list=statement.decorator_list,
    )


def _digest_of(statements: Sequence[ast.stmt]) -> str:
    found = hashlib.sha256()
    _write(statements, lambda text: found.update(f"{text}\0".encode("utf-8", errors="surrogatepass")))
    return found.hexdigest()[:DIGITS]


def _write(value: Any, put: Callable[[str], None]) -> None:
    """The tree without positions and docstrings; empty fields are left out, which Python's versions differ in."""
    if isinstance(value, ast.AST):
        put(type(value).__name__)
        for name in value._fields:
            inner = getattr(value, name, None)
            if name == "body" and isinstance(value, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = [one for one in value.body if not _is_text(one)]
            if inner is not None and inner != [] and name not in ("ctx", "kind", "type_comment"):
                put(name)
                _write(inner, put)
    elif isinstance(value, list | tuple):
        for one in value:
            _write(one, put)
        put("]")
    else:
        put(repr(value))


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
