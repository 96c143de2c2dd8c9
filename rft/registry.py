"""Registries of named things: methods, engines, rules. A new one is a new file that adds itself; nothing else is edited.

    >>> RULES = Registry("rule")
    >>> @RULES.add("last_number")                 # stands in the file that adds it
    ... def last_number(text): ...
    >>> RULES["last_numbr"]
    Traceback (most recent call last):
    ValueError: rule=last_numbr is not one of last_number; did you mean last_number?

    METHODS: Registry[Method] = Registry("method", package="rft.methods")     # imports the package when it is first asked

Things from elsewhere come in by plug-ins: modules named in `plugins=[my_module]`, or installed packages with an entry point
of the group `rft.plugins`. A change in a plug-in's source may change results, so the digest of its source is part of the
identity of every stage that rests on it (`foreign_source`); the package's own things carry versions instead.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")
ENTRY_POINTS = "rft.plugins"
OWN_PACKAGE = "rft"
INSTALLED = ("site-packages", "dist-packages")  # folders of many strangers' modules


class Registry(Mapping[str, T], Generic[T]):
    """Things of one kind by name, in the order in which they were added."""

    def __init__(self, what: str, *, package: str | None = None, given: Mapping[str, T] | None = None) -> None:
        """`what`: their name in messages; `package`: its modules add things when imported; `given`: things to begin with."""
        self.what = what
        self._package = package
        self._things: dict[str, T] = dict(given or {})
        self._homes: dict[str, str] = dict.fromkeys(self._things, OWN_PACKAGE)  # the module that each is of

    def add(self, name: str, *, home: str | None = None) -> Callable[[T], T]:
        """Decorator that enters a thing, of the module `home` (the caller). Raises ValueError for a name that is taken."""

        home = home or str(sys._getframe(1).f_globals["__name__"])

        def enter(thing: T) -> T:
            there = self._homes.get(name, home)
            if there != home:
                raise ValueError(f"{self.what} {name!r} is there already, of {there}: choose another name")
            self._things[name], self._homes[name] = thing, home
            return thing

        return enter

    def foreign(self, name: str) -> tuple[str, ...]:
        """The digest of the source of a plug-in's thing, for the identity of a stage; empty for the package's own."""
        assert name in self
        source = foreign_source(self._homes[name])
        return () if source is None else (source,)

    def __getitem__(self, name: str) -> T:
        found = self._found()
        if name not in found:
            raise ValueError(f"{self.what}={name} is not one of {', '.join(found)}{suggestion(name, found)}")
        return found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())

    def __contains__(self, name: object) -> bool:
        return name in self._found()

    def _found(self) -> dict[str, T]:
        if self._package is not None:
            package, self._package = self._package, None
            import_modules(package)
        return self._things


def suggestion(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: '; did you mean sft?', or nothing."""
    close = nearest(name, known)
    return f"; did you mean {close}?" if close else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is spelt most alike, where one is near."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)


def import_modules(package: str) -> None:
    """Import every module of a package, so that each adds what it has to its registry."""
    found = importlib.import_module(package)
    for module in pkgutil.iter_modules(found.__path__):
        importlib.import_module(f"{package}.{module.name}")


_named: dict[str, None] = {}  # plug-ins that were loaded by name, in order


def named_plugins() -> tuple[str, ...]:
    """The names that `load_plugins` was given in this process: another process that does its work needs them too."""
    return tuple(_named)


def load_plugins(names: Iterable[str]) -> None:
    """Import the named modules and those of installed packages. Raises ValueError for a name that cannot be imported."""
    for point in _entry_points():
        point.load()
    for name in names:
        try:
            importlib.import_module(name)
            _named[name] = None
        except ImportError as error:
            raise ValueError(
                f"plugins names {name!r}, which cannot be imported ({error}): give a module on PYTHONPATH"
            ) from error


@functools.cache
def _entry_points() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points  # 20 ms that most commands need not wait for

    return tuple(entry_points(group=ENTRY_POINTS))


@functools.cache
def foreign_source(module: str) -> str | None:
    """Digest of the source of a module that is not this package's; None for this package's own."""
    if module.partition(".")[0] == OWN_PACKAGE:
        return None
    found = hashlib.sha256(module.encode())
    for path in _files_behind(module):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


def _files_behind(module: str) -> list[Path]:
    """The source of a plug-in: every file of its package, or the module with all that is imported from its folder."""
    top = importlib.import_module(module.partition(".")[0])
    if hasattr(top, "__path__"):
        return sorted(path for folder in top.__path__ for path in Path(folder).rglob("*.py"))
    own = inspect.getsourcefile(top)
    if own is None or Path(own).parent.name in INSTALLED:
        return [Path(own)] if own else []
    files = (getattr(one, "__file__", None) for one in list(sys.modules.values()))
    return sorted({Path(file) for file in files if file and Path(file).parent == Path(own).parent})
