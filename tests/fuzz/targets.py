"""Every parser of outside text as a function of bytes: it may refuse (ValueError) and nothing else, and is never wrong.

    TARGETS["answers"](b"\\x00#### 7")         # raises what a fuzzer is to find

Beside what grades, an oracle of its own: an answer counted as correct is the gold number, an equation that holds, holds in
exact fractions. tests/fuzz/run.py feeds them by the million, tests/fuzz/test_parsers.py by the hundred.
"""

from __future__ import annotations

import ast
import gzip
import io
import json
import re
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from rft import select
from rft.config.overrides import named_plugins
from rft.infra.masking import mask_arguments, mask_text, mask_tree
from rft.records import Outcome, Record
from rft.sweeps import entries_of, sweep_named, sweeps_of
from rft.text import answers, equations, foreign, gsm8k, plain_equations, rowmap
from rft.text.numbers import canonical_number, first_number, last_number
from rft.text.path_keys import path_equations
from rft.text.rows import _parsed, draw_field, flag_field, gold_field, text_field

RULES = [name for name, rule in answers.RULES.items() if rule.numbers]
GOLDS = ("7", "72", "-3", "1450", "2.5", "1,450", "0.1")
TOLERANCE = Fraction(1, 1000) + Fraction(1, 10**6)  # of the equation check, and room for its floats
_NUMBER = re.compile(r"-?\$?-?\d[\d,]*(?:\.\d*)?|-?\$?\.\d+")
RECORD: dict[str, Any] = json.loads((Path(__file__).parent / "record.json").read_text(encoding="utf-8"))


def text_of(data: bytes) -> str:
    """Any string, lone surrogates included, as JSON can hold them."""
    return data.decode("utf-8", "surrogatepass") if data[:1] == b"\xed" else data.decode("utf-8", "replace")


def as_text(data: bytes) -> str:
    with suppress(UnicodeDecodeError):
        return text_of(data)
    return data.decode("latin-1")


def graded(data: bytes) -> None:
    """Grading rules on numbers: an answer that is correct is the gold number, read by nobody but this."""
    choice, text = data[:1] or b"\0", as_text(data[1:])
    rule, gold = RULES[choice[0] % len(RULES)], GOLDS[choice[0] // len(RULES) % len(GOLDS)]
    if answers.gold_fault(rule, gold):
        return
    if answers.grade(rule, text, gold, truncated=False) is Outcome.CORRECT:
        wanted = Fraction(gold.replace(",", ""))
        assert any(_close(found, wanted) for found in _numbers(text)), (rule, gold, text)
    answers.vote_classes(rule, [answers.extract(rule, text), gold, None])


def _numbers(text: str) -> list[Fraction]:
    """All that can be read as a number from some place of the text on, separators left out or ending it."""
    plain = "".join(str(int(c)) if c.isdecimal() else c for c in text)
    found = []
    # 6e7 is one number; in 6E7E, which is none, the runs of digits are read, as the paper's own scorer does
    for match in re.finditer(r"\$?[\d.,]+(?:[eE][-+]?\d{1,3}(?!\w|\.\w))?|\d+\s*/\s*\d+", plain):
        before = plain[: match.start()].rstrip().rstrip("$").rstrip()  # "- 3" is -3, whatever the space is
        sign = -1 if before.endswith(("-", "\N{MINUS SIGN}", "\N{EN DASH}")) else 1
        bare = match[0].replace("$", "").replace(",", "").rstrip(".").replace(" ", "")
        for one in {
            bare,
            bare.lstrip("."),
            bare.partition(".")[0],
            bare.partition("/")[0],
            ".".join(bare.split(".")[:2]),
        }:
            with suppress(ValueError, ZeroDivisionError):
                found += [Fraction(one), sign * Fraction(one)]
    return found


def _close(one: Fraction, other: Fraction) -> bool:
    return abs(one - other) <= Fraction(1, 10**9) * max(1, abs(other))  # rules of other projects compare floats


def checked(data: bytes) -> None:
    """Annotated equations: one that holds, holds in exact fractions."""
    text = as_text(data)
    assert equations.equation_key(text) == "|".join(equations.equation_list(text))
    equations.check(text)
    for equation in equations.equation_list(text)[:50]:
        if equations.equation_fault(equation) is None:
            exact = _exact(equation)
            assert exact is None or exact, equation
        equations.holds_in_python(equation)


def _exact(equation: str) -> bool | None:
    """Whether both sides are equal to the tolerance, by Python's own grammar; None where they are not in it."""
    sides = equation.replace("$", "").replace(",", "").split("=")
    if len(sides) != 2:
        return None
    try:
        values = [_value(ast.parse(side.strip(), mode="eval").body) for side in sides]
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, MemoryError, RecursionError):
        return None
    return abs(values[0] - values[1]) <= TOLERANCE + Fraction(1, 10**12) * abs(values[0])


def _value(node: ast.expr) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        return _value(node.operand) * (-1 if isinstance(node.op, ast.USub) else 1)
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        plain = {ast.Add: left.__add__, ast.Sub: left.__sub__, ast.Mult: left.__mul__, ast.Div: left.__truediv__}
        if type(node.op) in plain:
            return plain[type(node.op)](right)
    raise ValueError(ast.dump(node)[:80])


def plain_checked(data: bytes) -> None:
    """Equations read from the text: what is found, the check can read."""
    text = as_text(data)
    for equation in path_equations(text, kind="plain")[:50]:
        equations.check_equations([equation])
        plain_equations.operations(equation)


def numbers(data: bytes) -> None:
    """Numbers in a text, and in one spelling: which is its own."""
    text = as_text(data)
    spelt = canonical_number(text)
    assert spelt is None or canonical_number(spelt) == spelt
    last_number(text), first_number(text)


def rows(data: bytes) -> None:
    """Rows of data files and of samples, whatever JSON they are."""
    with suppress(ValueError):
        for _, row in _parsed("x", io.BytesIO(data)):
            for read in (gsm8k.gsm8k_row, gsm8k.triple_row, gsm8k.svamp_row):
                with suppress(ValueError):
                    read(row)
            with suppress(ValueError):
                foreign.parsed(row, where="line 1")
            with suppress(ValueError):
                select._sample(row, "line 1")
            for field in (draw_field, lambda row, where: flag_field(row, "truncated", where=where)):
                with suppress(ValueError):
                    field(row, where="line 1")
            for named in (text_field, gold_field):
                with suppress(ValueError):
                    named(row, "gold", where="line 1")


def zipped(data: bytes) -> None:
    """A stream that says it is gzip, whole or damaged."""
    good = gzip.compress(b'{"question": "a", "answer": "#### 1"}\n' * 3, mtime=0)
    at = data[0] % len(good) if data else 0
    for content in (data, good[:at] + data[1:], good[:at] + data[1:] + good[at + len(data) - 1 :]):
        with suppress(ValueError):
            list(_parsed("x", gzip.GzipFile(fileobj=io.BytesIO(content))))


def recorded(data: bytes) -> None:
    """A record with any of its values replaced, and any JSON at all."""
    value = _json(data[2:])
    keys = sorted(RECORD)
    where = keys[data[0] % len(keys)] if data else keys[0]
    for row in (value, RECORD | {where: value}, _deeper(where, data[1:2], value)):
        with suppress(ValueError):
            Record.from_json(row)


def _deeper(where: str, at: bytes, value: Any) -> Any:
    inner = RECORD[where]
    if not isinstance(inner, dict) or not inner or not at:
        return {}
    return RECORD | {where: inner | {sorted(inner)[at[0] % len(inner)]: value}}


def _json(data: bytes) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(as_text(data))
    return as_text(data)


def listed(data: bytes) -> None:
    """A study's manifest."""
    manifest = _json(data)
    with suppress(ValueError):
        for entry in entries_of(manifest, path=Path("study.json")):
            assert Path(entry["folder"]).name == entry["folder"]
        sweeps_of(manifest)
        sweep_named(manifest, "latest", folder=Path("s"))


def mapped(data: bytes) -> None:
    """Paths into rows, and boxed answers."""
    path, _, rest = as_text(data).partition("\n")
    rowmap.boxed(rest)
    row = _json(rest.encode("utf-8", "replace"))
    with suppress(ValueError):
        rowmap.check_path(path)
        rowmap.value_at(row if isinstance(row, dict) else {"a": row}, path)


def masked(data: bytes) -> None:
    """Words of a command line: masking is done after one pass."""
    text = as_text(data)
    once = mask_text(text)
    assert mask_text(once) == once
    mask_arguments(text[:2000].split(" "))  # words of a command line are short, texts are not
    mask_tree({"a": [text[:2000]], text[:20]: text[:2000]})
    named_plugins(text[:2000].split(" "))
    planted = mask_text(f"{text[:50]} https://u:hunter2@h/v1 api_key=hunter2")
    assert "hunter2" not in planted, text


TARGETS: dict[str, Callable[[bytes], None]] = {
    "answers": graded,
    "equations": checked,
    "plain_equations": plain_checked,
    "numbers": numbers,
    "rows": rows,
    "gzip": zipped,
    "records": recorded,
    "manifests": listed,
    "rowmap": mapped,
    "masking": masked,
}
SEEDS: dict[str, tuple[bytes, ...]] = {
    "answers": tuple(bytes([n]) + b"3*17=<<3*17=51>>51 so $1,450.50\n#### 72" for n in range(0, 256, 9)),
    "equations": (b"<<3*17=51>><<1/3=0.333>> <<(2+3)*4=20=20>> <<50%*2=1>> <<2^3=8>> <<1e3=1000>>",),
    "plain_equations": (b"So 3 * 17 = 51 apples, and $4.50 x 2 = $9. 1/2 of 8 is 4; 20% of 50 = 10 = 5 + 5",),
    "numbers": (b"-1,450.50 $3 1e3 1/2 50% \xc2\xbd",),
    "rows": (
        b'{"question": "Half of 48?", "answer": "48/2=<<48/2=24>>24\\n#### 24"}',
        b'{"id": "g-1", "completions": ["48/2=24", {"text": "24", "finish_reason": "length"}], "draw": 0}',
        b'{"custom_id": "g", "response": {"status_code": 200, "body": {"choices": [{"message": {"content": "2"}}]}}}',
        b'{"doc": {"question": "q"}, "resps": [["24"]], "gold": 7, "text": "a", "id": "i", "truncated": true, "draw": 1}',
        b'{"Body": "Ann has 3.", "Question": "How many?", "Equation": "( 3.0 + 4.0 )", "Answer": 7.0}',
    ),
    "gzip": (b"\x00", gzip.compress(b'{"a": 1}\n', mtime=0)),
    "records": (b"\x00\x00{}", b"\x05\x01[]", b"\x08\x00null", b"\x09\x03-1"),
    "manifests": (
        b'{"cells": [{"cell_id": "a", "folder": "a"}], "sweeps": [{"number": 1, "started": null, "cells": ["a"]}]}',
    ),
    "rowmap": (b'a.b[0].c\n{"a": {"b": [{"c": 1}]}} \\boxed{3}',),
    "masking": (b"model=nano-s hub.token=abc --password x https://u:p@h/ {TOKEN:abc} tracking.tags=[hf_abcdefgh12]",),
}
