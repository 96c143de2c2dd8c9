"""Each parser of outside text on some hundred odd inputs; what fuzzing found is in the tables. `make fuzz` runs millions."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from fuzz.targets import RECORD, SEEDS, TARGETS, _exact, _numbers
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from rft.records import Record
from rft.sweeps import sweeps_of
from rft.text.numbers import last_number

PIECES = [
    b"#### ",
    b"<<",
    b">>",
    b"=",
    b"-",
    b",",
    b".",
    b"$",
    b"1",
    b"72",
    b"/",
    b"*",
    b"(",
    b")",
    b"%",
    b"^",
    b"e",
    b"\n",
]
PIECES += [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b":",
    b"null",
    b"NaN",
    b"1e999",
    b"\\boxed{",
    b"\xed\xa0\x80",
    "½٣−".encode(),
    b"\0",
]
PAIRS = [b"1,", b"1.", b"-1", b"<<1", b"1=", b"1/", b"$1", b"(1", b"token=", b"1 ", b"{a"]


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_parser_refuses_or_reads(name: str, data: st.DataObject):
    piece = st.one_of(st.sampled_from(PIECES), st.sampled_from(SEEDS[name]), st.binary(max_size=8))
    TARGETS[name](b"".join(data.draw(st.lists(piece, max_size=24))))


@pytest.mark.parametrize("name", TARGETS)
def test_a_hundred_kilobytes_are_read_soon(name: str):
    """Of every piece and of pairs of them, repeated: what makes an expression backtrack."""
    for piece in [*PIECES, *PAIRS, *SEEDS[name]]:
        data = (piece * (100_000 // len(piece)))[:100_000]
        assert min(spent_s(name, data) for _ in range(2)) < 1.0, piece  # twice: another process may have had the caches


def spent_s(name: str, data: bytes) -> float:
    """Processor time of one reading."""
    started_s = time.process_time()
    TARGETS[name](data)
    return time.process_time() - started_s


@given(st.binary(max_size=40))
@example(b"<<")
def test_seeds_alone_pass(data: bytes):
    for name, seeds in SEEDS.items():
        TARGETS[name](seeds[0][: len(data)])


@pytest.mark.parametrize(
    "change",
    [
        {"names": []},
        {"scores": {"maj1@1": None}},
        {"scores": 1},
        {"rates": {"no_answer": {"value": "a", "n": 1, "se": 0}}},
        {"cost": ["finetune"]},
        {"cost": [{"name": "finetune"}]},
        {"sets": ["svamp"]},
        {"sets": [{"name": "svamp"}]},
        {"files": {"outcomes": {}}},
        {"files": {"outcomes": "../../etc/passwd"}},
        {"model": None},
        {"cell_id": 7},
    ],
)
def test_a_damaged_record_is_refused_in_words(change: dict[str, object]):
    Record.from_json(RECORD)
    with pytest.raises(ValueError, match=r"\w"):
        Record.from_json(RECORD | change)


@pytest.mark.parametrize("row", [[], None, 1, "a", True])
def test_what_is_no_record_at_all_is_refused(row: object):
    with pytest.raises(ValueError, match="no record"):
        Record.from_json(row)  # type: ignore[arg-type]


@pytest.mark.parametrize("sweeps", [1, [1], [{"number": 1}], [{"number": 1, "cells": 3}], [{"cells": [], "odd": 1}]])
def test_damaged_sweeps_are_refused(sweeps: object):
    with pytest.raises(ValueError, match="sweeps"):
        sweeps_of({"cells": [], "sweeps": sweeps})


def test_the_oracle_sees_a_false_equation():
    assert _exact("3*17=51") is True
    assert _exact("3*17=52") is False
    assert _exact("1/3=0.333") is True
    assert _exact("2^3=8") is None  # not Python's power


@pytest.mark.parametrize(
    ("text", "found", "right"),
    [
        ("6E7E", "7", "7"),
        ("6e7", "60000000", "60000000"),
        ("6e7.", "60000000", "60000000"),
        ("2e5.3", "5.3", "5.3"),
        ("4$7", "7", "7"),
    ],
)
def test_what_looks_like_an_exponent_and_is_none_is_runs_of_digits(text: str, found: str, right: str):
    """As in the scorer of the paper; the fuzzer's oracle reads them alike."""
    number = last_number(text)
    assert number is not None
    assert number.answer == found
    assert Fraction(right) in _numbers(text)
    assert (Fraction(7) in _numbers(text)) is (found == "7")
