"""Reservations: which finished stages a live sweep still needs, so that nobody removes them under it.

    with reserved(store, keys, study=folder, tell=log.info):
        ...                                      # plan, compute, assemble records
    for one in reservations(store):
        one.live, one.text(), one.keys           # live: its process is there, or has given a sign of life

A sweep reserves every stage that it planned, found or missing, before it looks which ones are there. Whoever removes stages
holds the store's gate meanwhile, and a sweep passes the gate before it reads: so either the remover sees the reservation, or
the sweep sees what is left. A reservation of a process that has ended without a word expires: at once on its own machine,
elsewhere after EXPIRES_S without a sign of life, if none comes either while the remover watches (`ended`): where a file
server takes the times of files from its clients, one clock that is off would take a living sweep for dead. The note of the
study's folder, whose records rest on the store, stays.

Below the root:
    .sweeps/3f61d0aa.json        {"owner": {...}, "study": "/home/me/multirun_outputs/mine", "keys": ["5f0c..."]}
    .sweeps/3f61d0aa.beat        written anew every BEAT_S
    .studies/9e10c2....json      {"folder": "/home/me/multirun_outputs/mine", "host": "gpu1"}
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from rft.infra.digest import digest
from rft.infra.disk import StoreError
from rft.infra.objects import Objects, now
from rft.infra.owners import Owner
from rft.infra.stage_store import StageStore

log = logging.getLogger(__name__)

SWEEPS, STUDIES = ".sweeps", ".studies"
BEAT_S = 20.0
EXPIRES_S = 600.0  # a busy file server may hold a heartbeat back for minutes
WATCH_S = 3 * BEAT_S
_GATE_POLL_S = 0.2


@dataclass(frozen=True)
class Reservation:
    """The stages that one sweep needs."""

    name: str
    owner: Owner
    study: str  # its folder
    keys: frozenset[str]
    silent_s: float  # since its last sign of life
    live: bool

    @property
    def holds(self) -> bool:
        """Whether its stages stay: of another machine's sweep until somebody has watched it (see `ended`)."""
        return self.live or not self.owner.is_here

    def text(self) -> str:
        """For people: whose it is, and how long it has been silent."""
        return (
            f"{self.study} ({self.owner.text()}, {len(self.keys)} stages, last sign of life {self.silent_s:.0f} s ago)"
        )


@dataclass(frozen=True)
class NotedStudy:
    """A study that has used the store."""

    folder: str
    host: str  # where the folder had this name


@contextmanager
def reserved(
    store: StageStore, keys: Iterable[str], *, study: Path, tell: Callable[[str], None], beat_s: float = BEAT_S
) -> Iterator[None]:
    """Keep the stages from removal until the block ends. Waits while somebody removes stages.

    On a disk that cannot be written nobody can remove anything through it: told, and gone on without.
    """
    name = secrets.token_hex(4)
    refused = None
    try:
        with gate(store, tell=tell):
            _write(store.objects, name, sorted(set(keys)), study=study.absolute())
    except OSError as error:
        refused = str(error)
    if refused is not None:  # outside of the handler: a later error of the sweep has not come from this one
        tell(
            f"the stages of this sweep cannot be reserved in {store.root} ({refused}): let nobody remove stages meanwhile"
        )
        yield
        return
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(store.objects, name, stop, beat_s), name="reservation", daemon=True)
    beat.start()
    try:
        yield
    finally:
        stop.set()
        beat.join()
        with suppress(OSError, StoreError):  # it expires by itself
            remove_reservation(store, name)


@contextmanager
def gate(store: StageStore, *, tell: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Held by one process at a time: whoever removes stages, and briefly a sweep that begins. Gives whether it still is."""
    told = False
    while True:
        with store.try_gate() as ours:
            if ours is not None:
                yield ours
                return
        if not told:
            tell(f"waiting for another process that removes or reserves stages in {store.root}")
            told = True
        time.sleep(_GATE_POLL_S)


def reservations(store: StageStore) -> list[Reservation]:
    """Of all sweeps, live or not. One that cannot be read is left out: it is being removed."""
    objects = store.objects
    names = sorted(name.removesuffix(".json") for name in objects.names(SWEEPS) if name.endswith(".json"))
    stamped_s = now(objects, SWEEPS) if names else 0.0
    found = (_read(objects, name, now_s=stamped_s) for name in names)
    return [one for one in found if one is not None]


def ended(store: StageStore, *, tell: Callable[[str], None]) -> list[Reservation]:
    """Of sweeps that have ended without a word. Those of other machines are watched for a sign of life before they count."""
    found = [one for one in reservations(store) if not one.live]
    away = {one.name: _sign(store.objects, one.name) for one in found if not one.owner.is_here}
    if away:
        tell(f"watching for {WATCH_S:.0f} s whether {len(away)} sweeps on other machines give a sign of life")
        time.sleep(WATCH_S)
    return [one for one in found if one.name not in away or _sign(store.objects, one.name) == away[one.name]]


def _sign(objects: Objects, name: str) -> tuple[bytes | None, float | None]:
    beat = f"{SWEEPS}/{name}.beat"
    return objects.read(beat), objects.modified(beat)


def remove_reservation(store: StageStore, name: str) -> None:
    """Of a sweep that has ended."""
    store.objects.remove(f"{SWEEPS}/{name}.json")
    store.objects.remove(f"{SWEEPS}/{name}.beat")


def noted_studies(store: StageStore) -> list[NotedStudy]:
    """Every study that has used the store."""
    contents = (store.objects.read(f"{STUDIES}/{name}") for name in sorted(store.objects.names(STUDIES)))
    return [NotedStudy(**json.loads(content)) for content in contents if content is not None]


def forget_study(store: StageStore, folder: str) -> None:
    """Drop the note of a study."""
    store.objects.remove(_note(folder))


def _write(objects: Objects, name: str, keys: list[str], *, study: Path) -> None:
    owner = Owner.this()
    note = NotedStudy(str(study), owner.host)
    if objects.read(_note(note.folder)) is None:
        objects.put(_note(note.folder), json.dumps(asdict(note)).encode())
    objects.put(f"{SWEEPS}/{name}.beat", b"0")
    body = {"owner": asdict(owner), "study": str(study), "keys": keys}
    objects.put(f"{SWEEPS}/{name}.json", json.dumps(body).encode())


def _note(folder: str) -> str:
    return f"{STUDIES}/{digest(folder)}.json"


def _beat(objects: Objects, name: str, stop: threading.Event, beat_s: float) -> None:
    count = 0
    while not stop.wait(beat_s):
        count += 1
        try:
            objects.put(f"{SWEEPS}/{name}.beat", str(count).encode())
        except (OSError, StoreError) as error:  # a full disk, a server that is away: the next sign may arrive
            log.debug("no sign of life of reservation %s: %s", name, error)


def _read(objects: Objects, name: str, *, now_s: float) -> Reservation | None:
    content, beat = objects.read(f"{SWEEPS}/{name}.json"), objects.modified(f"{SWEEPS}/{name}.beat")
    if content is None:
        return None
    body = json.loads(content)
    owner = Owner(**body["owner"])
    silent_s = max(0.0, now_s - (beat or 0.0))
    live = not owner.gone() if owner.is_here else silent_s < EXPIRES_S
    return Reservation(name, owner, body["study"], frozenset(body["keys"]), silent_s, live)
