"""Removing what nothing rests on: a study of a 13B model writes terabytes.

    collect(store, Wanted(delete=True), tell=print)         # the exit status

Kept are the stages that a record of a known study rests on (rft.infra.holdings), that are pinned, and that a live sweep has
reserved. Nothing goes unless it is told to delete; nothing behind a link goes at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rft.infra.holdings import Held, KnownStudies, edited_records, held_stages, known_studies, unfinished
from rft.infra.reservations import (
    Reservation,
    ended,
    forget_study,
    gate,
    remove_reservation,
    reservations,
)
from rft.infra.stage_store import StageStore
from rft.infra.units import size_text

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What is to be removed."""

    studies: tuple[Path, ...] = ()  # kept beside those that are known
    only: bool = False  # of studies, only those given are kept
    forget: tuple[str, ...] = ()  # noted studies that are gone for good
    weights: bool = False  # model weights too
    delete: bool = False  # else only listed


def collect(store: StageStore, wanted: Wanted, *, tell: Tell) -> int:
    """The `gc` command; returns the exit status. Raises ValueError for a folder that is no study."""
    if not wanted.delete:
        _tell_plan(store, wanted, tell)
        return 0
    with gate(store, tell=tell) as ours:
        return _delete(store, wanted, ours, tell)


def unused(held: Iterable[Held], *, weights: bool) -> list[Held]:
    """What may go: neither used, pinned nor reserved; with weights only if `weights`."""
    idle = [one for one in held if not one.studies and not one.pinned and not one.reserved]
    return [one for one in idle if weights or not one.has_weights]


def _delete(store: StageStore, wanted: Wanted, ours: Callable[[], bool], tell: Tell) -> int:
    for sweep in ended(store, tell=tell):
        tell(f"no longer reserved: the sweep into {sweep.text()} has ended without a word")
        remove_reservation(store, sweep.name)
    if unreserved := _unreserved_work(store):
        names = ", ".join(f"{kind}-{key[:8]}" for kind, key in unreserved[:3])
        tell(
            f"nothing removed: {len(unreserved)} stages are being computed now ({names}) by a process that has reserved "
            "nothing, so that nobody can tell what it will read next. Wait for it to end."
        )
        return 1
    for folder in wanted.forget:
        forget_study(store, folder)
    studies = _kept_studies(store, wanted)
    if studies.missing:
        for line in _missing_lines(studies):
            tell(line)
        return 2
    if edited := [path for folder in studies.there for path in edited_records(folder)]:
        tell(
            f"nothing removed: {len(edited)} records are not what was written, the first {edited[0]}: nobody can tell which "
            "stages they rest on. Run their sweep again, which makes them anew, or take the cells out (rft study drop)."
        )
        return 2
    going = _tell_going(store, studies, wanted, tell)
    removed = []
    for one in going:
        if not ours():
            tell("stopped: this process was silent for so long that another one has begun to remove or reserve stages")
            break
        if store.remove(one.info.name, one.info.key):
            removed.append(one)
        else:
            tell(f"left alone: {one.info.name} {one.info.key[:8]} is in use or no longer there")
    if count := store.sweep():
        tell(f"cleared {count} folders of unfinished work, whose processes are gone")
    tell(f"freed {size_text(_bytes(removed))} in {len(removed)} stages")
    if wanted.weights and (count := store.remove_checkpoints(spare=_held_keys(reservations(store)))):
        tell(f"removed the checkpoints of {count} trainings that were not finished")
    return 0


def _tell_plan(store: StageStore, wanted: Wanted, tell: Tell) -> None:
    """What would be removed, and what would stand in the way."""
    for sweep in reservations(store):
        state = (
            "reserved"
            if sweep.live
            else "silent, would be watched first"
            if sweep.holds
            else "would no longer be reserved"
        )
        tell(f"{state}: the stages of the sweep into {sweep.text()}")
    studies = _kept_studies(store, wanted)
    for line in _missing_lines(studies):
        tell(line)
    going = _tell_going(store, studies, wanted, tell)
    tell(f"would free {size_text(_bytes(going))} in {len(going)} stages: add --delete to do it")


def _tell_going(store: StageStore, studies: KnownStudies, wanted: Wanted, tell: Tell) -> list[Held]:
    held = held_stages(store, studies.there)
    going = unused(held, weights=wanted.weights)
    for one in going:
        model = f" {one.model}" if one.model else ""
        verb = "removing" if wanted.delete else "unused"
        tell(f"{verb}: {one.info.name} {one.info.key[:8]}{model}, {size_text(one.info.bytes)}")
    spared = [one for one in unused(held, weights=True) if one.has_weights and not wanted.weights]
    if spared:
        tell(
            f"kept: {len(spared)} unused stages with weights, {size_text(_bytes(spared))}: add --weights to include them"
        )
    if busy := sum(one.reserved for one in held):
        tell(f"kept: {busy} stages that live sweeps have reserved")
    for folder in studies.there:
        if count := unfinished(folder):
            tell(f"note: {count} cells of {folder} have no record; stages that only they need count as unused")
    return going


def _kept_studies(store: StageStore, wanted: Wanted) -> KnownStudies:
    if wanted.only:
        return KnownStudies(wanted.studies, ())
    known = known_studies(store, also=wanted.studies)
    return KnownStudies(known.there, tuple(one for one in known.missing if one.folder not in wanted.forget))


def _missing_lines(studies: KnownStudies) -> list[str]:
    return [
        f"not found: the study {one.folder} (noted on {one.host}), whose records rest on this store. Nothing is removed "
        f"before it is back, or given up by --forget {one.folder}, or only the studies given are to be kept (--only)"
        for one in studies.missing
    ]


def _unreserved_work(store: StageStore) -> list[tuple[str, str]]:
    reserved = _held_keys(reservations(store))
    return [(kind, key) for kind, key in store.computing() if key not in reserved]


def _held_keys(found: Iterable[Reservation]) -> set[str]:
    return {key for one in found if one.holds for key in one.keys}


def _bytes(stages: Sequence[Held]) -> int:
    return sum(one.info.bytes for one in stages)
