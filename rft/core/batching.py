"""Which examples make up which optimiser step, and how a step is cut into micro-batches.

The step decides the result, the cut only the speed: the loss of a step is the sum over its target tokens divided by
their number, however the step is cut.

    for step in example_steps(encoded, batch_size=32, num_steps=100, seed=0, micro_batch_tokens=4096): ...
    step[0].inputs_BT, step[0].index_N, step[0].targets_N      # padded right; index_N are flat positions in B*T

Shapes: B sequences, T tokens, N target tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from rft.core.seeding import numpy_generator
from rft.core.tokenization import Encoded


@dataclass(frozen=True)
class MicroBatch:
    """One forward and backward pass. Causal attention and right padding: no real token sees padding, so no mask."""

    inputs_BT: torch.Tensor  # int64, padded with 0
    index_N: torch.Tensor  # int64, flat positions in B*T whose next token is a target
    targets_N: torch.Tensor  # int64, the token to predict there


Step = list[MicroBatch]


def epoch_order(num_items: int, *, seed: int) -> Iterator[int]:
    """Item indices without end: every pass visits all items once, in an order of its own."""
    assert num_items > 0
    generator = numpy_generator(seed, "order")
    while True:
        yield from generator.permutation(num_items).tolist()


def example_steps(
    examples: Sequence[Encoded], *, batch_size: int, num_steps: int, seed: int, micro_batch_tokens: int
) -> Iterator[Step]:
    """`num_steps` steps of `batch_size` examples each, cycling through the examples in seeded order.

    Raises ValueError without examples, or when an example has no target token.
    """
    if not examples:
        raise ValueError("there are no training examples")
    empty = sum(example.num_targets < 1 for example in examples)
    if empty:
        raise ValueError(f"{empty} of {len(examples)} training examples have no response token to learn from")
    order = epoch_order(len(examples), seed=seed)
    for _ in range(num_steps):
        chosen = [examples[next(order)] for _ in range(batch_size)]
        yield [_collate(group) for group in bucket(chosen, micro_batch_tokens=micro_batch_tokens)]


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
    tokens: np.ndarray, *, sequence: int, batch_tokens: int, num_steps: int, seed: int, micro_batch_tokens: int
) -> Iterator[Step]:
    """`num_steps` steps of about `batch_tokens` tokens, in full sequences cut from one token array (1-D, integer).

    Every token of a sequence is a target. Documents follow each other without a mask between them; the end-of-sequence
    token tells them apart. Raises ValueError when the array is shorter than one sequence.
    """
    num_sequences = (len(tokens) - 1) // sequence
    if num_sequences < 1:
        raise ValueError(f"the corpus has {len(tokens)} tokens, fewer than one sequence of {sequence} + 1")
    rows_per_step = max(1, batch_tokens // sequence)
    rows_per_pass = max(1, micro_batch_tokens // sequence)
    order = epoch_order(num_sequences, seed=seed)
    offsets = np.arange(sequence + 1)
    for _ in range(num_steps):
        starts = np.array([next(order) * sequence for _ in range(rows_per_step)])
        rows = torch.from_numpy(tokens[starts[:, None] + offsets].astype(np.int64))
        yield [_packed(rows[i : i + rows_per_pass]) for i in range(0, rows_per_step, rows_per_pass)]


def _packed(rows: torch.Tensor) -> MicroBatch:
    inputs_BT = rows[:, :-1].contiguous()
    return MicroBatch(inputs_BT, torch.arange(inputs_BT.numel()), rows[:, 1:].reshape(-1))


def _collate(group: Sequence[Encoded]) -> MicroBatch:
    """Right-padded inputs; the last token of an example is only ever a target."""
    width = max(len(example.ids) for example in group) - 1
    inputs_BT = np.zeros((len(group), width), dtype=np.int64)
    index: list[np.ndarray] = []
    targets: list[np.ndarray] = []
    for row, example in enumerate(group):
        ids = np.asarray(example.ids, dtype=np.int64)
        first = max(1, example.num_prompt)
        inputs_BT[row, : len(ids) - 1] = ids[:-1]
        index.append(row * width + np.arange(first - 1, len(ids) - 1))
        targets.append(ids[first:])
    index_N, targets_N = torch.from_numpy(np.concatenate(index)), torch.from_numpy(np.concatenate(targets))
    return MicroBatch(torch.from_numpy(inputs_BT), index_N, targets_N)
