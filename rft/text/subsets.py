"""Nested subsets and splits of problem ids, by a stable digest of (seed, id): no generator state, no dependence on order.

>>> subset(["a", "b", "c", "d"], fraction=0.5, seed=0)
['c', 'd']
>>> subset(["a", "b", "c", "d"], fraction=0.25, seed=0)      # a smaller fraction is a prefix of a larger one
['c']
>>> train, validation = split(["a", "b", "c", "d"], size=1, seed=0)
>>> len(train), len(validation)
(3, 1)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def rank(seed: int | str, *names: object) -> int:
    """A 64-bit number that depends on its arguments alone: the sort key of every seeded choice in the text layer."""
    text = "\0".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def permutation(ids: Sequence[str], *, seed: int | str) -> list[str]:
    """The ids in the seed's order, which is independent of the order given. Raises ValueError for repeated ids."""
    if len(set(ids)) != len(ids):
        raise ValueError(f"{len(ids) - len(set(ids))} of {len(ids)} ids are repeated; ids must be unique")
    return sorted(ids, key=lambda name: (rank(seed, name), name))


def subset(ids: Sequence[str], *, fraction: float, seed: int, size: int | None = None) -> list[str]:
    """The first round(fraction * size) ids, at least one, of the seed's permutation: a smaller fraction nests in a larger.

    `size` is the full human set (fraction 1), by default all ids; with more ids than that, seeds draw different sets at
    fraction 1 too. Raises ValueError when the fraction lies outside (0, 1] or size outside [1, number of ids].
    """
    if not 0 < fraction <= 1:
        raise ValueError(f"data_frac must lie in (0, 1], got {fraction}")
    full = len(ids) if size is None else size
    if not 1 <= full <= len(ids):
        raise ValueError(
            f"a full set of {full} problems was asked for, but there are {len(ids)}; choose 1 to {len(ids)}"
        )
    return permutation(ids, seed=seed)[: max(1, round(fraction * full))]


def split(ids: Sequence[str], *, size: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """(train, validation) with `size` ids held out, both in the order given; the choice is independent of `subset`'s.

    Raises ValueError when fewer than one id would be left for training.
    """
    if not 0 <= size < len(ids):
        raise ValueError(
            f"cannot hold {size} validation problems out of {len(ids)}: at least one must be left to train on"
        )
    held = set(permutation(ids, seed=f"validation-{seed}")[:size])
    return [name for name in ids if name not in held], [name for name in ids if name in held]
