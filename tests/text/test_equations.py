"""The bounded equation parser against Python on honest input, and its bounds on hostile input."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import pytest

from rft.text import equations
from rft.text.equations import check, equation_fault, equation_key, equation_list, equation_parts, evaluate


def test_list_and_key_are_the_papers() -> None:
    text = "48/2 = <<48/2=24>>24 and 48+24 = <<48 + 24=72>>72"
    assert equation_list(text) == ["48/2=24", "48+24=72"]
    assert equation_key(text) == "48/2=24|48+24=72"
    assert equation_key("3+4=<<3+4=7>>7") != equation_key("4+3=<<4+3=7>>7")
    assert equation_key("no annotation") == ""


def test_list_equals_the_regular_expression() -> None:
    rng = random.Random(0)
    for _ in range(3000):
        text = "".join(rng.choice(["<", "<<", ">", ">>", "1+1=2", " ", "\n", "x"]) for _ in range(rng.randint(0, 12)))
        assert equation_list(text) == [found.replace(" ", "") for found in re.findall(r"<<([^>]*)>>", text)], text


def test_parts_are_the_text_and_mark_its_equations() -> None:
    rng = random.Random(5)
    for _ in range(2000):
        text = "".join(
            rng.choices(["<<", ">>", "<", ">", "2*3=6", "2*3=7", " ", "x", "\U0001f34e"], k=rng.randrange(12))
        )
        parts = equation_parts(text)
        assert "".join(part for part, _ in parts) == text
        marked = [(part[2:-2].replace(" ", ""), holds) for part, holds in parts if holds is not None]
        assert [equation for equation, _ in marked] == equation_list(text)
        assert all(holds == (equation_fault(equation) is None) for equation, holds in marked)


def test_values_equal_pythons() -> None:
    rng = random.Random(1)
    refused = too_large = 0
    for _ in range(2000):
        text = str(rng.randint(0, 9))
        for _ in range(rng.randint(1, 6)):
            text += rng.choice(["+", "-", "*", "/", "//", "**", "+(", "*-(", "%"]) + rng.choice(["3", "2.5", "1", ".5"])
        text += ")" * text.count("(")
        try:
            expected = eval(text)
        except (ZeroDivisionError, OverflowError):
            continue
        if isinstance(expected, complex) or abs(expected) > equations.MAX_VALUE:
            continue
        try:
            value = evaluate(text)
        except equations.EquationError as error:
            too_large += str(error) == "too_large"  # an intermediate value or exponent beyond the bound
            refused += 1
            continue
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-12), text
    assert refused == too_large < 200


@pytest.mark.parametrize(
    ("text", "value"),
    [("50%", 0.5), ("50%*80", 40), ("20%of", None), ("$1,000*2", 2000), ("7%3", 1), ("1.5%", 0.015), ("2^3", 8),
     ("3x4", None), ("", None), ("()", None), ("5%+3", 3.05), ("2(3)", None), ("1 2", None)],
)  # fmt: skip
def test_forms_of_word_problems(text: str, value: float | None) -> None:
    if value is None:
        with pytest.raises(equations.EquationError, match="syntax"):
            evaluate(text)
    else:
        assert evaluate(text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<<7*8=54>>", "false"),
        ("<<7*8>>", "no_equals"),
        ("<<>>", "no_equals"),
        ("<<1/0=1>>", "zero_division"),
        ("<<0**-1=1>>", "zero_division"),
        ("<<9**9**9=1>>", "too_large"),
        ("<<9**64**64=1>>", "too_large"),
        ("<<1" + "+1" * 400 + "=401>>", "too_long"),
        ("<<" + "(" * 100 + "1" + ")" * 100 + "=1>>", "too_deep"),
        ("<<" + "-" * 100 + "1=1>>", "too_deep"),
        ("<<__import__('os').abort()=1>>", "syntax"),
        ("<<\uff11+\uff11=2>>", "syntax"),
        ("<<1+1=2\x00>>", "syntax"),
        ("<<\ud800=1>>", "syntax"),
        ("<<(-8)**0.5=1>>", "syntax"),
        ("<<1**65=1>>", "too_large"),
        ("<<5*2=10=11>>", "false"),
        ("<<99999999999999999999**2=1>>", "too_large"),
    ],
)
def test_faults_have_reasons(text: str, reason: str) -> None:
    assert check(text) == equations.Check(False, reason, 1)


def test_tolerance_is_absolute() -> None:
    assert check("<<1/3=0.333>>").ok
    assert not check("<<1/3=0.33>>").ok
    assert check("<<1/3=0.33>>", tolerance=0.01).ok
    assert check("<<2*5=10=20/2>>").ok


@pytest.mark.parametrize(
    "text",
    ["<<" * 1_000_000, "<" * 2_000_000, "<<1+1=2>" * 500_000, "<<1+1=2>>" * 100_000, "<<" + "9" * 10_000_000 + "=1>>",
     "<<" + "(" * 5_000_000 + ">>", "\x00\ud800<<" * 500_000, "<<" + "9**" * 100 + "9=1>>", "1" * 10_000_000],
)  # fmt: skip
def test_hostile_text_returns_fast(text: str) -> None:
    start = time.perf_counter()
    check(text)
    equation_key(text)
    assert time.perf_counter() - start < 5


def test_python_mode_refuses_what_python_does() -> None:
    holds = equations.holds_in_python
    assert holds("48/2=24")
    assert holds("7%3=1")
    assert holds("5//2=2")
    assert holds("2*5=10=11")
    for equation in ("1,000*2=2000", "50%*80=40", "05+1=6", "2^3=8", "$5*2=10", "5*2", "5*2=5+5", "1/0=0", "5*2=$10"):
        assert not holds(equation), equation


def test_every_equation_of_gsm8k_train_holds(gsm8k_dir: Path) -> None:
    with open(gsm8k_dir / "train.jsonl", encoding="utf-8") as file:
        checks = [check(json.loads(line)["answer"]) for line in file]
    assert sum(c.num_equations for c in checks) == 23_716
    assert all(c.ok for c in checks)
    assert sum(c.num_equations == 0 for c in checks) == 95
