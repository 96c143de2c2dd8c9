"""Which examples make up which optimiser step, and how a step is cut into micro-batches.

The step decides the result, the cut only the speed: the loss of a step is the sum over its target tokens divided by
their number, however the step is cut.

    for step in example_steps(encoded, batch_size=32, num_steps=100, seed=0, micro_batch_tokens=4096): ...
    step[0].inputs_BT, step[0].index_N, step[0].targets_N      # padded right; index_N are flat positions in B*T

Shapes: B sequences, T tokens, N target tokens.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from rft.core.seeding import numpy_generator
from rft.core.tokenization import Encoded


@dataclass(frozen=True)
class MicroBatch:
    """One forward and backward pass. Causal attention and right padding: no real token sees padding, so no mask.

    A packed row holds several examples: its positions begin again at 0 with each, and no example may see another.
    """

    inputs_BT: torch.Tensor  # int64, padded with 0
    index_N: torch.Tensor  # int64, flat positions in B*T whose next token is a target
    targets_N: torch.Tensor  # int64, the token to predict there
    positions_BT: torch.Tensor | None = None  # int64, of packed rows; None: 0 to T - 1, one example a row
    weights_N: torch.Tensor | None = None  # float32, of the targets in the loss; None: 1 each


Step = list[MicroBatch]

ROW_LENGTHS = 2  # width of packed rows in longest examples: 1 leaves padding, 4 spends more on attention (NOTES.md)


def epoch_order(num_items: int, *, seed: int) -> Iterator[int]:
    """Item indices without end: every pass visits all items once, in an order of its own."""
    assert num_items > 0
    generator = numpy_generator(seed, "order")
    while True:
        yield from generator.permutation(num_items).tolist()


def example_steps(
    examples: Sequence[Encoded],
    *,
    batch_size: int,
    num_steps: int,
    seed: int,
    micro_batch_tokens: int,
    packing: bool = False,
    first: int = 0,
) -> Iterator[Step]:
    """Steps `first` to `num_steps` of `batch_size` examples each, cycling through the examples in seeded order.

    Packing changes no result, but not every model can read packed rows: see rft.core.packing. Raises ValueError without
    examples, or when an example has no target token.
    """
    if not examples:
        raise ValueError("there are no training examples")
    empty = sum(example.num_targets < 1 for example in examples)
    if empty:
        raise ValueError(f"{empty} of {len(examples)} training examples have no response token to learn from")
    order = itertools.islice(epoch_order(len(examples), seed=seed), first * batch_size, None)
    for _ in range(first, num_steps):
        chosen = [examples[next(order)] for _ in range(batch_size)]
        yield cut_step(chosen, micro_batch_tokens=micro_batch_tokens, packing=packing)


def cut_step(chosen: Sequence[Encoded], *, micro_batch_tokens: int, packing: bool) -> Step:
    """The examples of one step as micro-batches within the budget: one example a row, or packed rows."""
    if not packing:
        return [collate(group) for group in bucket(chosen, micro_batch_tokens=micro_batch_tokens)]
    longest = max(len(example.ids) - 1 for example in chosen)
    rows = pack(chosen, width=max(longest, min(ROW_LENGTHS * longest, micro_batch_tokens)))
    width = max(sum(len(example.ids) - 1 for example in row) for row in rows)
    count = max(1, micro_batch_tokens // width)
    return [_collate_packed(rows[i : i + count], width=width) for i in range(0, len(rows), count)]


def pack(examples: Sequence[Encoded], *, width: int) -> list[list[Encoded]]:
    """Rows of at most `width` inputs: each example, longest first, in the first row that has room for it."""
    rows: list[list[Encoded]] = []
    room: list[int] = []
    for example in sorted(examples, key=lambda example: -len(example.ids)):
        size = len(example.ids) - 1
        place = next((row for row, left in enumerate(room) if left >= size), len(rows))
        if place == len(rows):
            rows.append([])
            room.append(width)
        rows[place].append(example)
        room[place] -= size
    return rows


def bucket(examples: Sequence[Encoded], *, micro_batch_tokens: int) -> list[list[Encoded]]:
    """Groups of similar length whose padded size stays within the budget (a longer single example stands alone)."""
    ordered = sorted(examples, key=lambda example: len(example.ids))
    groups: list[list[Encoded]] = []
    for example in ordered:
        if groups and (len(groups[-1]) + 1) * (len(example.ids) - 1) <= micro_batch_tokens:
            groups[-1].append(example)
        else:
            groups.append([example])
    return groups


def packed_steps(
    tokens: np.ndarray,
    *,
    sequence: int,
    batch_tokens: int,
    num_steps: int,
    seed: int,
    micro_batch_tokens: int,
    weights: np.ndarray | None = None,
    first: int = 0,
) -> Iterator[Step]:
    """Steps `first` to `num_steps` of about `batch_tokens` tokens, in full sequences cut from one token array (1-D, integer).

    Every token of a sequence is a target. Documents follow each other without a mask between them; the end-of-sequence
    token tells them apart. `weights` (same length) are the tokens' in the loss. Raises ValueError when
    the array is shorter than one sequence.
    """
    num_sequences = (len(tokens) - 1) // sequence
    if num_sequences < 1:
        raise ValueError(f"the corpus has {len(tokens)} tokens, fewer than one sequence of {sequence} + 1")
    rows_per_step = max(1, batch_tokens // sequence)
    rows_per_pass = max(1, micro_batch_tokens // sequence)
    order = itertools.islice(epoch_order(num_sequences, seed=seed), first * rows_per_step, None)
    offsets = np.arange(sequence + 1)
    for _ in range(first, num_steps):
        starts = np.array([next(order) * sequence for _ in range(rows_per_step)])
        cells = starts[:, None] + offsets
        parts = [cells[i : i + rows_per_pass] for i in range(0, rows_per_step, rows_per_pass)]
        yield [_packed(tokens[part], None if weights is None else weights[part]) for part in parts]


def take_rows(part: MicroBatch, rows: Sequence[int]) -> MicroBatch:
    """Some rows of a micro-batch, in ascending order, with their targets."""
    width, chosen = part.inputs_BT.shape[1], torch.tensor(rows)
    place = torch.full((len(part.inputs_BT),), -1).index_put_((chosen,), torch.arange(len(rows)))
    row_N = place[part.index_N // width]
    is_in = row_N >= 0
    return MicroBatch(
        part.inputs_BT[chosen],
        row_N[is_in] * width + part.index_N[is_in] % width,
        part.targets_N[is_in],
        None if part.positions_BT is None else part.positions_BT[chosen],
        None if part.weights_N is None else part.weights_N[is_in],
    )


def _packed(tokens: np.ndarray, weights: np.ndarray | None) -> MicroBatch:
    rows = torch.from_numpy(tokens.astype(np.int64))
    inputs_BT = rows[:, :-1].contiguous()
    weights_N = None if weights is None else torch.from_numpy(weights[:, 1:].astype(np.float32)).reshape(-1)
    return MicroBatch(inputs_BT, torch.arange(inputs_BT.numel()), rows[:, 1:].reshape(-1), weights_N=weights_N)


def collate(group: Sequence[Encoded]) -> MicroBatch:
    """Right-padded inputs; the last token of an example is only ever a target."""
    width = max(len(example.ids) for example in group) - 1
    part = _collate_packed([[example] for example in group], width=width)
    return replace(part, positions_BT=None)


def _collate_packed(rows: Sequence[Sequence[Encoded]], *, width: int) -> MicroBatch:
    """Examples one after the other in each row; what is left is padding, each token alone at position 0."""
    inputs_BT = np.zeros((len(rows), width), dtype=np.int64)
    positions_BT = np.zeros((len(rows), width), dtype=np.int64)
    index: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for row, examples in enumerate(rows):
        start = 0
        for example in examples:
            ids = np.asarray(example.ids, dtype=np.int64)
            first, size = max(1, example.num_prompt), len(ids) - 1
            inputs_BT[row, start : start + size] = ids[:-1]
            positions_BT[row, start : start + size] = np.arange(size)
            index.append(row * width + start + np.arange(first - 1, size))
            targets.append(ids[first:])
            start += size
    index_N, targets_N = torch.from_numpy(np.concatenate(index)), torch.from_numpy(np.concatenate(targets))
    return MicroBatch(torch.from_numpy(inputs_BT), index_N, targets_N, torch.from_numpy(positions_BT))
