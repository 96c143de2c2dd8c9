"""Claims: who is computing a key, where all that one can do is create an object that is not there.

    with try_claim(bucket, "finetune-5f0c4a1e", lease_s=60.0) as claim:
        if claim is not None: ...               # ours until the block ends, or until somebody took it over
        claim.ours()                            # ask again before a step that two must not take

Whoever creates the next number owns the name:
    .claims/finetune-5f0c4a1e/1.json            {"owner": {...}, "token": "9e10..."}    its process has died
    .claims/finetune-5f0c4a1e/1.beat            written anew by the owner
    .claims/finetune-5f0c4a1e/2.json            who took it over
The highest number counts. An owner removes its numbers from the lowest up, so that no dead owner's comes to the top again. A
dead owner is seen at once on its own machine, elsewhere when its beat has not changed for `lease_s` of the contender's clock.
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from rft.infra.buckets import Bucket
from rft.infra.disk import StoreError
from rft.infra.objects import now
from rft.infra.owners import Owner

log = logging.getLogger(__name__)

CLAIMS = ".claims"

# What this process last saw of another owner's claim, and since when: (bucket, name) -> ((number, beat), monotonic seconds)
_seen: dict[tuple[str, str], tuple[tuple[int, bytes | None], float]] = {}


@dataclass(frozen=True)
class Claim:
    """A name that this process owns."""

    bucket: Bucket
    name: str
    number: int
    token: str

    def ours(self) -> bool:
        """Whether nobody has taken it over. Raises StoreError."""
        if _numbers(self.bucket, self.name)[-1:] != [self.number]:
            return False
        held = _held(self.bucket, self.name, self.number)
        return held is not None and held[1] == self.token


@contextmanager
def try_claim(
    bucket: Bucket, name: str, *, lease_s: float, on_beat: Callable[[], None] = lambda: None
) -> Iterator[Claim | None]:
    """Try once to become the owner, without waiting; None where another process is. Raises StoreError."""
    claim = _claimed(bucket, name, lease_s=lease_s)
    if claim is None:
        yield None
        return
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(claim, stop, lease_s / 3, on_beat), name="claim", daemon=True)
    beat.start()
    try:
        yield claim
    finally:
        stop.set()
        beat.join()
        _release(claim)


def claimed_names(bucket: Bucket, *, lease_s: float) -> list[str]:
    """Names that live processes own, as far as one look can tell: with a beat in the last three `lease_s`."""
    names = bucket.names(CLAIMS)
    now_s = now(bucket, ".probes") if names else 0.0
    return [name for name in names if _looks_alive(bucket, name, now_s=now_s, silence_s=3 * lease_s)]


def _claimed(bucket: Bucket, name: str, *, lease_s: float) -> Claim | None:
    numbers = _numbers(bucket, name)
    if numbers and not _is_stale(bucket, name, numbers[-1], lease_s=lease_s):
        return None
    claim = Claim(bucket, name, numbers[-1] + 1 if numbers else 1, secrets.token_hex(16))
    body = json.dumps({"owner": asdict(Owner.this()), "token": claim.token}).encode()
    if not bucket.create(_object(name, claim.number), body):
        return None
    if not claim.ours():  # a later number came meanwhile, or the back end has let another one write over ours
        if _numbers(bucket, name)[-1:] != [claim.number]:
            bucket.remove(_object(name, claim.number))
        return None
    _seen.pop((bucket.url, name), None)
    return claim


def _is_stale(bucket: Bucket, name: str, number: int, *, lease_s: float) -> bool:
    held = _held(bucket, name, number)
    if held is not None and held[0].gone():
        return True
    now, mark = time.monotonic(), (number, bucket.read(_object(name, number, "beat")))
    seen = _seen.get((bucket.url, name))
    if seen is None or seen[0] != mark:
        _seen[bucket.url, name] = (mark, now)
        return False
    return now - seen[1] >= lease_s


def _looks_alive(bucket: Bucket, name: str, *, now_s: float, silence_s: float) -> bool:
    numbers = _numbers(bucket, name)
    held = _held(bucket, name, numbers[-1]) if numbers else None
    if held is None or held[0].gone():
        return False
    beats = (bucket.modified(_object(name, numbers[-1], kind)) for kind in ("json", "beat"))
    return now_s - max((beat for beat in beats if beat is not None), default=0.0) < silence_s


def _beat(claim: Claim, stop: threading.Event, every_s: float, on_beat: Callable[[], None]) -> None:
    count = 0
    while not stop.wait(every_s):
        count += 1
        on_beat()
        try:
            claim.bucket.put(_object(claim.name, claim.number, "beat"), f"{claim.token} {count}".encode())
        except StoreError as error:  # the next one may arrive; if none does, somebody takes over
            log.debug("no heartbeat of %s: %s", claim.name, error)


def _release(claim: Claim) -> None:
    bucket, name = claim.bucket, claim.name
    lower = [number for number in _numbers(bucket, name) if number < claim.number]
    bucket.remove_all(_object(name, number, kind) for number in lower for kind in ("beat", "json"))
    bucket.remove(_object(name, claim.number, "beat"))
    held = _held(bucket, name, claim.number)
    if held is not None and held[1] == claim.token:  # else it was taken over, and the number may be another's by now
        bucket.remove(_object(name, claim.number))


def _numbers(bucket: Bucket, name: str) -> list[int]:
    found = bucket.names(f"{CLAIMS}/{name}")
    return sorted(int(one.removesuffix(".json")) for one in found if one.endswith(".json"))


def _held(bucket: Bucket, name: str, number: int) -> tuple[Owner, str] | None:
    content = bucket.read(_object(name, number))
    try:
        body = json.loads(content or b"")
        return Owner(**body["owner"]), str(body["token"])
    except (ValueError, KeyError, TypeError):
        return None


def _object(name: str, number: int, kind: str = "json") -> str:
    return f"{CLAIMS}/{name}/{number}.{kind}"
