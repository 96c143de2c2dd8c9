"""Equal values have equal digests; what has no stable form is refused by its place."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest

from rft.infra.digest import digest, file_digest


class Colour(Enum):
    red = "red"


class Level(IntEnum):
    low = 1


@dataclasses.dataclass
class Train:
    lr: float
    steps: int


def test_digest_is_pinned() -> None:
    """Changing this value orphans every store there is: only with a note in the changelog."""
    assert digest({"name": "sft", "lr": 0.001, "sizes": [1, 2], "none": None}) == "beb9697b2cf672762c752977fcfec56c"
    assert len(digest(None)) == 32


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (0.0, -0.0),
        (10**22, 1e22),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ((1, 2), [1, 2]),
        (Colour.red, "red"),
        (Level.low, 1),
        (Train(1e-3, 5), {"lr": 0.001, "steps": 5.0}),
    ],
)
def test_equal_values_share_a_digest(left: Any, right: Any) -> None:
    assert digest(left) == digest(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (True, 1),
        (False, 0),
        (None, 0),
        ("1", 1),
        ([], {}),
        ([1, 2], [2, 1]),
        (0.1, 0.1 + 2**-56),
        ("a", "A"),
        ("", None),
    ],
)
def test_different_values_differ(left: Any, right: Any) -> None:
    assert digest(left) != digest(right)


def _loop() -> list[Any]:
    loop: list[Any] = []
    loop.append(loop)
    return loop


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"train": {"lr": lambda: 0}}, r"train\.lr: function"),
        ({"a": [0, float("nan")]}, r"a\[1\]: nan"),
        ({"a": float("inf")}, "a: inf"),
        ({"file": Path("x")}, "file: .*Path"),
        ({"s": {1, 2}}, "s: set"),
        ({"b": b"x"}, "b: bytes"),
        ({1: "x"}, "key 1 is a int"),
        (object(), "value: object"),
        (Train, "value: type"),
        (_loop(), "contain itself"),
    ],
)
def test_unstable_values_are_refused_by_place(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        digest(value)


def test_digest_is_the_same_in_another_process() -> None:
    value = {"z": [1, 2.5, "é", None], "a": {"x": True}}
    code = f"from rft.infra.digest import digest; print(digest({value!r}))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == digest(value)


def test_file_digest_follows_the_content(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one")
    first = file_digest(file)
    file.write_text("two")
    assert file_digest(file) != first
    other = tmp_path / "b.txt"
    other.write_text("one")
    assert file_digest(other) == first
