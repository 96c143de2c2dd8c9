"""The plain-text extractor: its forms, hostile text, and recall and precision on GSM8K without annotations."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from rft.records import Problem, Sample
from rft.text.equations import check_equations, equation_list
from rft.text.plain_equations import extract, operations
from rft.text.selection import policy_named, select


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("She sold 48 / 2 = 24 clips.", ["48/2=24"]),
        ("That is $5 x 3 = $15, and 2 × $1,200.50 = $2,401.", ["5*3=15", "2*1200.5=2401"]),
        ("20% of 1,800 = 360 and 100 kg * 5% = 5 kg", ["20*0.01*1800=360", "100*5*0.01=5"]),
        ("2 * 3 + 4 = 6 + 4 = 10", ["2*3+4=10", "6+4=10"]),
        ("3 shirts x $5 each = $15; 32 rooms/hall * 6 halls/floor = 192 rooms/floor", ["3*5=15", "32*6=192"]),
        ("20 on Monday + 36 on Tuesday = 56 jumping jacks", ["20+36=56"]),
        ("(3 + 4) * 2 = 14 and 2(3 + 4) = 14", ["(3+4)*2=14", "2*(3+4)=14"]),
        ("12 (from 3 miles) + 1 (from 1/4 mile) = 13 laps", ["12+1=13"]),
        ("14 plus 8 equals 22, 8 divided by 2 equals 4, 5 times 3 = 15", ["14+8=22", "8/2=4", "5*3=15"]),
        ("5 − 8 = -3", ["5-8=-3"]),
        ("-5 + 8 = 3\nso −5 + 8 = 3. And (-5) + 8 = 3", ["-5+8=3", "-5+8=3", "(-5)+8=3"]),
        ("-$5 + $8 = $3, 2 * -5 = -10, 5 - -3 = 8", ["-5+8=3", "2*-5=-10", "5--3=8"]),
        ("- 5 + 8 = 13", ["5+8=13"]),  # a bullet
        ("10 -5 = 5\nso — 5 + 8 = 13. In class-5 + 8 = 13", ["10-5=5", "5+8=13", "5+8=13"]),
        (r"**48 \times 2 = 96**", ["48*2=96"]),
        ("2x + 3 = 7, x = 2, 3x = 9, T + 2T + 75 = 108", []),
        ("a 4-inch board = $5, 3 + 4 = seven, on 3/4", []),
        ("", []),
    ],
)
def test_forms(text: str, found: list[str]) -> None:
    assert extract(text) == found


def test_operations_are_normalised() -> None:
    assert operations("1,800*20%=360") == operations("1800*(20*.01)=360.0") == ("1800", "*", "20", "*", "0.01")
    assert operations("3+4=7") != operations("4+3=7")


@pytest.mark.parametrize(
    ("split", "annotated", "extracted", "matched"), [("train", 23716, 24755, 22824), ("test", 4282, 4466, 4116)]
)
def test_recall_and_precision(gsm8k_dir: Path, split: str, annotated: int, extracted: int, matched: int) -> None:
    """Developed on train alone; the test split was read once, after it was frozen: recall 96.1 %, precision 92.1 %. Leading
    signs, mended later from made-up examples, found 3 more there."""
    counts: Counter[str] = Counter()
    with open(gsm8k_dir / f"{split}.jsonl", encoding="utf-8") as file:
        for row in map(json.loads, file):
            solution = row["answer"].rsplit("####", 1)[0]
            truth = Counter(map(operations, equation_list(solution)))
            found = Counter(map(operations, extract(re.sub(r"<<[^>]*>>", "", solution))))
            counts.update(annotated=truth.total(), extracted=found.total(), matched=(truth & found).total())
    assert counts == {"annotated": annotated, "extracted": extracted, "matched": matched}
    assert matched / annotated >= 0.9
    assert matched / extracted >= 0.9


@pytest.mark.parametrize(
    "text", ["1+" * 2_000_000 + "=2", "= " * 1_000_000, "1+1=2 " * 500_000, "(" * 1_000_000 + "=" + ")" * 1_000_000,
             "a b c d e f ) = 1 " * 100_000, "\ud800\x00=\uff11+\uff11=" * 100_000],
)  # fmt: skip
def test_hostile_text_returns_fast(text: str) -> None:
    start = time.perf_counter()
    extract(text)
    assert time.perf_counter() - start < 3


def test_selection_on_plain_text() -> None:
    problem = Problem("p", "", "", "7")
    texts = ["3 + 4 = 7\n#### 7", "so 3+4=7.\n#### 7", "4 + 3 = 7\n#### 7", "3 + 4 = 8\n#### 7", "it is\n#### 7"]
    samples = [Sample("p", draw, text, False, 1) for draw, text in enumerate(texts)]
    plain = select(samples, [problem], policy=policy_named("paper", equations="plain"))
    assert sorted(path.key for path in plain.kept) == ["", "3+4=7", "4+3=7"]
    assert plain.drop_counts["false_equation"] == 1
    assert plain.stats.no_equation_frac == 0.2
    assert len(select(samples, [problem], policy=policy_named("paper")).kept) == 1  # without: the empty key keeps one


@pytest.mark.parametrize("a", [-12, -5, -1, 3])
@pytest.mark.parametrize(
    "form", ["{a} + 8 = {s}", "({a}) + 8 = {s}", "So {a} + 8 = {s}.", "8 + {a} = {s}", "x: {a} + 8 = {s}"]
)
def test_a_true_equation_is_read_as_a_true_one(a: int, form: str) -> None:
    (found,) = extract(form.format(a=a, s=a + 8))
    assert check_equations([found]).ok, found
    (false,) = extract(form.format(a=a, s=8 - a))
    assert not check_equations([false]).ok, false
