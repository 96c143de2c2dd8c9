"""De-duplication: one path per key, and seeded choices among paths.

    >>> from rft.text.selection import KeptPath
    >>> rows = [("3+3=6", "so 3+3=6"), ("2*3=6", "2*3=6"), ("2*3=6", "It is 2*3=6 in all")]
    >>> paths = [KeptPath("g-1", key, "nano-s", draw, text) for draw, (key, text) in enumerate(rows)]
    >>> [path.draw for path in farthest_paths(paths)]         # per key the path farthest from the others (Algorithm 1)
    [0, 2]
    >>> [path.draw for path in random_paths(paths, seed=1)]   # per key one chosen by the seed
    [0, 1]
    >>> [path.draw for path in thin(paths, size=2, seed=1)]   # two paths, whatever their keys
    [0, 1]

A path is any object with id, key, model, draw and text, such as rft.text.selection.KeptPath. All functions keep the order in
which the paths are given.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from rft.text.subsets import rank

TIE_BREAKS = ("others", "scored")
MAX_DISTANCE_TEXT = 5000  # characters compared by edit distance: keeps one absurd sample from taking minutes


class PathLike(Protocol):
    """What identifies a path and its origin."""

    @property
    def id(self) -> str:
        """Id of the question."""

    @property
    def key(self) -> str:
        """Its equations as one string; equal keys are one path."""

    @property
    def model(self) -> str:
        """The model that wrote it."""

    @property
    def draw(self) -> int:
        """Number of the draw, from 0."""

    @property
    def text(self) -> str:
        """The solution."""


P = TypeVar("P", bound=PathLike)


def farthest_paths(paths: Sequence[P], *, tie_break: str = "others") -> list[P]:
    """Algorithm 1 of the paper (A.3) over the valid paths of one question: one path per key, in the order given.

    A path with a known key replaces the kept one when its summed edit distance to the other kept paths is larger
    (strictly: a tie keeps the earlier one). Greedy, in the order given, so that order is part of the result.

    `tie_break`: `others` leaves the kept path of that key out of both sums (Algorithm 1); `scored` measures the new path
    against it too, the literal reading of the released script ("over kept texts not equal to the current one").
    Raises ValueError for another name.
    """
    if tie_break not in TIE_BREAKS:
        raise ValueError(f"unknown tie break {tie_break!r}; allowed are {', '.join(TIE_BREAKS)}")
    kept: dict[str, P] = {}
    apart: dict[str, dict[str, int]] = {}  # key -> distances of its kept path to other keys' kept ones, where measured
    for path in paths:
        held = kept.get(path.key)
        if held is None:
            kept[path.key], apart[path.key] = path, {}
            continue
        if held.text == path.text:
            continue
        there = apart[path.key]
        for key in kept.keys() - there.keys() - {path.key}:
            there[key] = apart[key][path.key] = distance(held.text, kept[key].text)
        # solutions with equal equations are often alike, so that the kept one's distance tells where to look first
        here = {key: distance(path.text, kept[key].text, about=known) for key, known in there.items()}
        lead = distance(path.text, held.text) if tie_break == "scored" else 0
        if sum(here.values()) + lead > sum(there.values()):
            kept[path.key], apart[path.key] = path, here
            for key, found in here.items():
                apart[key][path.key] = found
    return [path for path in paths if kept[path.key] is path]


def distance(text: str, other: str, *, about: int | None = None) -> int:
    """Edit distance of two texts, of very long ones that of their beginnings. `about`: a guess; a good one saves time."""
    hint = None if about is None else about * 13 // 10  # a guess that is too low costs more than one that is too high
    return _levenshtein()(text[:MAX_DISTANCE_TEXT], other[:MAX_DISTANCE_TEXT], score_hint=hint)


@functools.cache
def _levenshtein() -> Callable[..., int]:
    from rapidfuzz.distance import Levenshtein  # 25 ms: planning and completion compare no texts

    return Levenshtein.distance


def summed_distance(text: str, others: Sequence[str]) -> int:
    """Edit distances of a text to others, added up."""
    return sum(distance(text, other) for other in others)


def _lot(seed: int, path: PathLike) -> int:
    return rank(seed, path.id, path.model, path.draw)


def random_paths(paths: Sequence[P], *, seed: int) -> list[P]:
    """One path per key, chosen by seed and origin alone, in the order given."""
    best: dict[str, P] = {}
    for path in paths:
        held = best.get(path.key)
        if held is None or _lot(seed, path) < _lot(seed, held):
            best[path.key] = path
    return [path for path in paths if best[path.key] is path]


def thin(paths: Sequence[P], *, size: int, seed: int) -> list[P]:
    """`size` paths chosen by seed, in the order given; a smaller choice lies inside a larger one.

    Raises ValueError when there are fewer paths than `size`.
    """
    if not 0 <= size <= len(paths):
        raise ValueError(f"cannot thin {len(paths)} paths to {size}: choose 0 to {len(paths)}")
    if size == len(paths):
        return list(paths)
    chosen = set(sorted(range(len(paths)), key=lambda index: (_lot(seed, paths[index]), index))[:size])
    return [path for index, path in enumerate(paths) if index in chosen]
