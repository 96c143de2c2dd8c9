"""What a stage is: a frozen dataclass whose fields are its identity and whose inputs are other stages.

    @dataclass(frozen=True, eq=False, kw_only=True)
    class Thin(Stage[KeptPaths]):
        \"\"\"A union's kept paths cut to the number that another selection kept.\"\"\"

        kind: ClassVar[str] = "thin"
        version: ClassVar[int] = 1
        paths: Selection              # an input
        like: Selection               # another
        seed: int                     # part of the identity

        def run(self, work: StageContext) -> Done:
            kept = work.open(self.paths).kept()          # typed: what a finished Selection is read as
            ...                                          # writes below work.out
            return Done(facts=ThinFacts(num_thinned=...))

        def read(self, folder: Path) -> KeptPaths:
            return KeptPaths(folder)

A stage's key is the digest of its kind, version and identity, where an input stands for itself by its key. A `said()` field
(a label, a path, an estimate) never enters. An `added(value)` field came later and is left out at that value, so that keys
from before it stay valid. Execution settings (device, threads, batch sizes) are no fields: they come with `StageContext`.
Planning imports the modules of stages, so what is heavy (torch) is imported inside `run`.

    >>> from rft.stages.problems import WorldProblems
    >>> pool = WorldProblems(split="train", world={"seed": 0}, count=8192)
    >>> pool == WorldProblems(split="train", world={"seed": 0}, count=8192, label="another name")
    True
    >>> pool == WorldProblems(split="train", world={"seed": 1}, count=8192)
    False
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast

from rft.config import RuntimeConfig
from rft.infra.digest import digest
from rft.infra.resume import ResumePoints
from rft.infra.stage_store import StageStore
from rft.registry import foreign_source
from rft.stages.identity import NotPlainError, digest_of, key_of, text_behind, text_of, texts_joined

if TYPE_CHECKING:
    from rft.core.sampling.held import HeldSampler

R = TypeVar("R", covariant=True)  # what a finished stage is read as
NEVER = object()  # equals no value of a field
MAX_PARTS = 50_000  # remembered in one process
MAX_PART = 1_000  # characters of its text
NUM_BYTES_SMALL = 20_000
SAMPLES_FILE = "samples.jsonl.gz"


@dataclass(frozen=True)
class Work:
    """Estimated size of a stage, before it runs."""

    tokens: float = 0.0
    flops: float = 0.0
    num_bytes: float = NUM_BYTES_SMALL
    assumed: bool = False  # rests on an assumed yield of distinct paths


class Facts:
    """Mixin of the frozen dataclasses that hold what a stage tells the record; a field that is None is left out."""

    def to_json(self) -> dict[str, Any]:
        """The facts by name."""
        row = dataclasses.asdict(cast(Any, self))
        return {name: value for name, value in row.items() if value is not None}


@dataclass(frozen=True)
class Done:
    """What a stage function returns."""

    tokens: int = 0  # trained on, generated or scored; padding not counted
    flops: float = 0.0  # 6 N per trained token, 2 N per generated or scored token
    facts: Facts | None = None  # for the record
    earlier_s: float = 0.0  # that it took in processes which were killed, as far as their work was kept


@dataclass(frozen=True)
class StageContext:
    """What a stage may use and what must not change its result."""

    out: Path  # an empty folder
    runtime: RuntimeConfig
    report: Callable[[float], None]  # share of the work done, in [0, 1]
    sampler: HeldSampler  # the one that this process keeps open; for stages that sample
    folder_of: Callable[[Stage[Any]], Path]  # of a finished input
    log: Callable[[Mapping[str, Any]], None] | None = None  # what it says while it runs, for people (rft.infra.live)
    points: ResumePoints | None = None  # where it may keep what it needs to go on in another process; None: nowhere

    def open(self, stage: Stage[R]) -> R:
        """A finished input, read as what it is. Raises RuntimeError for the input of an input: make it a field."""
        if cast(Any, stage) is None:
            raise RuntimeError(
                "a stage opens what is not among its own fields: the inputs of its inputs stay behind when it is sent to "
                "a worker, so give the stage a field for it"
            )
        return stage.read(self.folder_of(stage))


def said(default: Any = dataclasses.MISSING) -> Any:
    """A field that is no part of the identity: a label, a path behind a digest, an estimate."""
    return field(default=default, compare=False)


def added(value: Any) -> Any:
    """A field that came later. At `value`, which must stand for what was done before, keys are those of before.

    Never change the value afterwards: what is stored under it would be taken for something else.
    """
    return field(default=value, metadata={"added": True})


def counted(default: Any = dataclasses.MISSING) -> Any:
    """An input of which only a number is read (a control's size): part of the identity, but the output is not made of it.

    With a default it came later, as `added` has it.
    """
    later = {} if default is dataclasses.MISSING else {"added": True}
    return field(default=default, metadata={"counted": True, **later})


@dataclass(frozen=True, eq=False, kw_only=True)
class Stage(Generic[R]):
    """One unit of computation, done once ever; compared by key."""

    kind: ClassVar[str]  # its folder in the store
    version: ClassVar[int] = 1  # of its output: raised whenever that changes for the same identity
    samples: ClassVar[bool] = False  # runs a sampling engine, which then stays open for the next stage
    trains: ClassVar[bool] = False  # moves weights: `run` may be called in several processes at once, as they are told

    label: str = said("")  # for people
    model: str = said("")  # name of the model it trains or runs, for people and estimates
    work: Work = said(Work())
    key: str = field(init=False, compare=False)
    inputs: tuple[Stage[Any], ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        try:  # texts first: parts of it are then known, with the stages in them
            key = key_of(self._head(), _texts(self))
        except NotPlainError:
            key = digest([*self._head(), self.identity()])  # says what is wrong with it
        object.__setattr__(self, "inputs", tuple(_stages_in(self._values())))
        object.__setattr__(self, "key", key)

    @property
    def edition(self) -> int:
        """`version`, and more where the output changed for some values of the fields alone: the keys of all others stay.

        It may depend on all fields but places and seeds, by which copies of one plan differ.
        """
        return self.version

    def identity(self) -> dict[str, Any]:
        """Everything that can change the result, as JSON values; inputs by their keys."""
        return identity_of(self)

    def key_without(self, *names: str) -> str:
        """The key as if the named fields did not exist: without its seed, all draws of a base have one key."""
        left = {name: value for name, value in self.identity().items() if name not in names}
        return digest([*self._head(), left])

    def run(self, work: StageContext) -> Done:
        """Compute into `work.out`. Raises ValueError for what the user gave, RuntimeError for what went wrong."""
        raise NotImplementedError

    def read(self, folder: Path) -> R:
        """What the finished folder holds, opened."""
        raise NotImplementedError

    def shipped(self) -> Self:
        """A copy for a worker: its inputs have no inputs of their own, so that a deep graph is not sent along."""
        return cast(Self, _copied(self, lambda one: _copied(one, lambda _: None)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stage) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def _head(self) -> tuple[Any, ...]:
        """What stands before its identity in what its key is the digest of."""
        return (self.kind, self.edition, *_source(type(self)))

    def _values(self) -> Iterator[Any]:
        return (getattr(self, name) for name, _ in _identity_fields(type(self)))


S = TypeVar("S", bound=Stage[Any])


class Twins(Generic[S]):
    """Copies of a stage with other values of some fields, at a third of the price of new stages.

    twins = Twins(shard, ("block", "label"))
    twins.of({"block": (256, 512), "label": "..."})      # has the key that a new stage with these values has
    """

    def __init__(self, stage: S, names: Collection[str]) -> None:
        """`names`: of the fields that change; where these hold stages, `inputs` is among them."""
        self._stage = stage
        self._kept = [(name, getattr(stage, name)) for name in _all_fields(type(stage))]
        fields = _identity_fields(type(stage))
        self._changing = sorted({name for name, _ in fields} & set(names))
        self._left_out = [(name, end) for name, end in fields if name in names and end is not NEVER]
        self._form = self._form_of()

    def of(self, changes: Mapping[str, Any]) -> S:
        """The copy; `changes`: the new values by name."""
        form = self._form
        if form is None or any(changes[name] == value for name, value in self._left_out):
            return dataclasses.replace(self._stage, **{name: one for name, one in changes.items() if name != "inputs"})
        new = {**changes, "key": digest_of(form % tuple([_text(changes[name]) for name in self._changing]))}
        twin = object.__new__(type(self._stage))
        for name, value in self._kept:  # one after the other, as a constructor does: twins share their table of names
            object.__setattr__(twin, name, new.get(name, value))
        return twin

    def _form_of(self) -> str | None:
        """The text behind the key, with a place for each changing field; None where the long way writes it."""
        stage, place = self._stage, "\0"  # which no such text holds
        try:
            texts = _texts(stage)
            form = text_behind(stage._head(), {**texts, **dict.fromkeys(self._changing, place)})
        except NotPlainError:
            return None
        return form.replace("%", "%%").replace(place, "%s")


_fields: dict[Any, tuple[tuple[str, Any], ...]] = {}  # by class
_sources: dict[Any, tuple[str, ...]] = {}
_inits: dict[Any, tuple[str, ...]] = {}


def _identity_fields(kind: Any) -> tuple[tuple[str, Any], ...]:
    """(name, the value at which it is left out) of the fields that make an identity."""
    if kind not in _fields:
        fields = (one for one in dataclasses.fields(kind) if one.compare)
        _fields[kind] = tuple((one.name, one.default if "added" in one.metadata else NEVER) for one in fields)
    return _fields[kind]


def _source(kind: Any) -> tuple[str, ...]:
    """The digest of its source, of a plug-in's stage; else nothing."""
    if kind not in _sources:
        source = foreign_source(kind.__module__)
        _sources[kind] = () if source is None else (source,)
    return _sources[kind]


def _all_fields(kind: Any) -> tuple[str, ...]:
    """Names of all fields of a class, in order."""
    if kind not in _inits:
        _inits[kind] = tuple(one.name for one in dataclasses.fields(kind))
    return _inits[kind]


def identity_of(value: Any) -> dict[str, Any]:
    """The fields of a stage, or of a part of one, that make an identity, as JSON values."""
    found = ((name, getattr(value, name), left_out) for name, left_out in _identity_fields(type(value)))
    return {name: _plain(one) for name, one, left_out in found if one != left_out}


_ATOMS = frozenset(
    (str, int, float, bool, type(None))
)  # by far the most values, and quickest told apart by their exact type


def _plain(value: Any) -> Any:
    if type(value) in _ATOMS:
        return value
    if isinstance(value, Stage):
        return value.key
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return identity_of(value) if _is_part(value) else value


def _is_part(value: Any) -> bool:
    kind: Any = type(value)
    return _is_kind_of_part(kind)


@functools.cache
def _is_kind_of_part(kind: Any) -> bool:
    return dataclasses.is_dataclass(kind)


def _texts(value: Any) -> dict[str, str]:
    """The texts of an identity's fields (rft.stages.identity), by name. Raises NotPlainError for a value without one."""
    return {
        name: _text(one)
        for name, left_out in _identity_fields(type(value))
        if (one := getattr(value, name)) != left_out
    }


def _text(value: Any) -> str:
    """The text of `_plain(value)`."""
    if type(value) in _ATOMS:
        return text_of(value)
    if isinstance(value, Stage):
        return f'"{value.key}"'
    if type(value) is tuple:
        return f"[{','.join(map(_text, value))}]"
    return _remembered(value).text if _is_part(value) else text_of(_plain(value))


@dataclass(frozen=True)
class _Part:
    """What is known of a part of stages: its text and the stages in it. The part itself, so that its id stays its own."""

    value: Any
    text: str
    stages: tuple[Stage[Any], ...]


_parts: dict[int, _Part] = {}  # of frozen parts, by id: many stages share one


def _remembered(value: Any) -> _Part:
    found = _parts.get(id(value))
    if found is None:
        within = (getattr(value, name) for name, _ in _identity_fields(type(value)))
        found = _Part(value, texts_joined(_texts(value)), tuple(_stages_in(within)))
        if type(value).__dataclass_params__.frozen and len(found.text) <= MAX_PART:
            if len(_parts) >= MAX_PARTS:
                _parts.clear()
            _parts[id(value)] = found
    return found


def _stages_in(values: Iterable[Any]) -> Iterator[Stage[Any]]:
    for value in values:
        if type(value) in _ATOMS:
            continue
        if isinstance(value, Stage):
            yield value
        elif isinstance(value, tuple):
            yield from _stages_in(value)
        elif _is_part(value):
            known = _parts.get(id(value))
            within = (getattr(value, name) for name, _ in _identity_fields(type(value)))
            yield from known.stages if known is not None else _stages_in(within)


def _copied(value: Any, change: Callable[[Any], Any]) -> Any:
    """A copy of a stage, or of a dataclass that holds some, with the stages directly below it changed."""
    twin = copy.copy(value)
    for name, _ in _identity_fields(type(value)):
        object.__setattr__(twin, name, _changed(getattr(value, name), change))
    if isinstance(value, Stage):
        object.__setattr__(twin, "inputs", tuple(one for one in map(change, value.inputs) if one is not None))
    return twin


def _changed(value: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(value, Stage):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_changed(item, change) for item in value)
    if _is_part(value):
        return _copied(value, change)
    return value


def made_of(stage: Stage[Any]) -> tuple[Stage[Any], ...]:
    """Its inputs without those that are merely counted."""
    aside = {one.name for one in dataclasses.fields(stage) if "counted" in one.metadata}
    return tuple(_stages_in(getattr(stage, name) for name, _ in _identity_fields(type(stage)) if name not in aside))


def counted_of(stage: Stage[Any]) -> tuple[Stage[Any], ...]:
    """Its inputs that are merely counted."""
    made = set(made_of(stage))
    return tuple(one for one in stage.inputs if one not in made)


def in_order(
    targets: Iterable[Stage[Any]], *, inputs: Callable[[Stage[Any]], Iterable[Stage[Any]]] = lambda one: one.inputs
) -> list[Stage[Any]]:
    """The targets and all stages that they rest on, inputs first, each key once."""
    done: dict[str, Stage[Any]] = {}

    def visit(stage: Stage[Any]) -> None:
        if stage.key not in done:
            for one in inputs(stage):
                visit(one)
            done[stage.key] = stage

    for target in targets:
        visit(target)
    return list(done.values())


def finished(stages: Iterable[Stage[Any]], store: StageStore) -> set[str]:
    """Keys of the stages that are in the store."""
    by_kind: dict[str, list[str]] = {}
    for stage in stages:
        by_kind.setdefault(stage.kind, []).append(stage.key)
    return {key for kind, keys in by_kind.items() for key in store.present(kind, keys)}
