"""A share of the training examples: nested, in order, chosen by seed."""

from __future__ import annotations

from rft.stages.trainset import Example, nested_part

ROWS = [Example(f"t{i // 3}", "q", f"path {i}", "kept") for i in range(96)]


def test_a_smaller_share_lies_inside_a_larger_one_in_the_same_order():
    small, large = (nested_part(ROWS, frac=frac, seed=0) for frac in (1 / 32, 0.25))
    assert (len(small), len(large)) == (3, 24)
    assert all(row in large for row in small)
    assert large == [row for row in ROWS if row in large]


def test_another_seed_chooses_others_and_the_whole_is_the_whole():
    assert nested_part(ROWS, frac=0.25, seed=0) != nested_part(ROWS, frac=0.25, seed=1)
    assert nested_part(ROWS, frac=1.0, seed=0) == ROWS
    assert len(nested_part(ROWS, frac=1e-9, seed=0)) == 1


def test_the_choice_does_not_depend_on_the_order_of_the_rows():
    forward, backward = nested_part(ROWS, frac=0.1, seed=0), nested_part(ROWS[::-1], frac=0.1, seed=0)
    assert forward == backward[::-1]
