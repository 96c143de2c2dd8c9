"""Rows of other forms: every way of writing the same problems down reads as the same problems."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rft.records import Problem
from rft.text.gsm8k import ReadAs, read_file
from rft.text.numbers import canonical_number
from rft.text.rowmap import RowMap, boxed, value_at

PAIRS = [
    (f'Ann has {n} nails, and buys 2. How many, "all" in all?', f"{n}+2=<<{n}+2={n + 2}>>{n + 2}\n#### {n + 2}")
    for n in range(3, 9)
]


def write(folder: Path, form: str) -> tuple[Path, RowMap | None]:
    """The pairs in one form, and how to read it."""
    pairs = RowMap(question="q", solution="s")
    if form == "gsm8k.jsonl":
        return _lines(folder, [{"question": q, "answer": s} for q, s in PAIRS]), None
    if form == "nested.jsonl":
        rows = [{"a": {"b": [0, {"c": q}]}, "x.y": s, "z": {"n": int(s.split()[-1])}} for q, s in PAIRS]
        return _lines(folder, rows), RowMap(question="a.b[-1].c", solution="x.y", gold="z.n")
    if form == "put together.jsonl":
        rows = [{"head": q[:9], "tail": q[10:], "s": s} for q, s in PAIRS]
        assert all(q[9] == " " for q, _ in PAIRS)
        return _lines(folder, rows), RowMap(question="{head} {tail}", solution="s")
    if form == "messages.jsonl":
        rows = [{"m": [{"role": "system", "content": "Solve."}, {"role": "user", "content": [{"type": "text", "text": q}]},
                       {"role": "assistant", "content": s}]} for q, s in PAIRS]  # fmt: skip
        return _lines(folder, rows), RowMap(messages="m")
    if form == "sharegpt.json":
        rows = [{"conversations": [{"from": "human", "value": q}, {"from": "gpt", "value": s}]} for q, s in PAIRS]
        (folder / "a.json").write_text(json.dumps({"data": rows}))
        return folder / "a.json", RowMap(messages="conversations")
    if form in ("a.csv", "a.tsv"):
        with (folder / form).open("w", newline="") as file:
            writer = csv.writer(file, delimiter="," if form == "a.csv" else "\t")
            writer.writerows([("q", "s"), *PAIRS])
        return folder / form, pairs
    if form == "cells.csv":
        with (folder / form).open("w", newline="") as file:
            rest = [(json.dumps({"q": {"text": q}}), json.dumps([0, {"s": s}])) for q, s in PAIRS]
            csv.writer(file).writerows([("ask", "told"), *rest])
        return folder / form, RowMap(question="ask.q.text", solution="told[1].s")
    if form == "turns.csv":
        with (folder / form).open("w", newline="") as file:
            turns = [[{"role": "user", "content": q}, {"role": "assistant", "content": s}] for q, s in PAIRS]
            csv.writer(file).writerows([("m",), *((json.dumps(one),) for one in turns)])
        return folder / form, RowMap(messages="m")
    if form == "a.parquet":
        table = pytest.importorskip("pyarrow")
        parquet = pytest.importorskip("pyarrow.parquet")
        parquet.write_table(table.Table.from_pylist([{"q": q, "s": s} for q, s in PAIRS]), folder / form)
        return folder / form, pairs
    for number, (q, s) in enumerate(PAIRS):
        (folder / f"{number}.json").write_text(json.dumps({"q": q, "s": s}))
    return folder / "*.json", pairs


FORMS = ["gsm8k.jsonl", "nested.jsonl", "put together.jsonl", "messages.jsonl", "sharegpt.json"]
FORMS += ["a.csv", "a.tsv", "cells.csv", "turns.csv", "a.parquet", "one file a row"]


def _lines(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def problems(path: Path, row_map: RowMap | None, **how: Any) -> list[Problem]:
    return read_file(path, ReadAs(rule="gsm8k", row_map=row_map, **how)).problems


@pytest.mark.parametrize("form", FORMS)
def test_every_form_holds_the_same_problems(tmp_path: Path, form: str) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "other").mkdir()
    known = problems(*write(tmp_path / "plain", FORMS[0]))
    assert problems(*write(tmp_path / "other", form)) == known
    assert [(one.question, one.solution) for one in known] == PAIRS


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("a.c", r"lacks 'c' below 'a' \(it has b\)"),
        ("a.b[3]", r"has a list of 2 below 'a.b', where 'a.b\[3\]' asks for item 3"),
        ("a[0]", r"has dict .* below 'a', where 'a\[0\]' expects a list"),
        ("a.b.c", r"has list .* below 'a.b', where 'a.b.c' expects an object with 'c'"),
        ("t.c", r"has str .* below 't', where 't.c' expects an object with 'c' \(a text is one where it is JSON\)"),
        ("q", r"lacks 'q' \(it has a, t\)"),
        ("a", r"has dict .* at 'a', expected text or a number"),
    ],
)
def test_a_bad_row_names_file_row_what_is_there_and_what_is_allowed(tmp_path: Path, path: str, message: str) -> None:
    good = {"a": {"b": [1, 2]}, "t": "1+1=<<1+1=2>>2\n#### 2"}
    file = _lines(tmp_path, [good])
    with pytest.raises(ValueError, match=rf"rows.jsonl: line 1 {message}"):
        problems(file, RowMap(question=path, solution="t"))


def test_a_text_that_is_wanted_stays_a_text_even_where_it_is_json() -> None:
    assert RowMap(question="q", solution="s").parts({"q": '{"a": 1}', "s": "#### 1"})[0] == '{"a": 1}'


def test_a_key_that_occurs_twice_in_a_cell_is_not_chosen_from() -> None:
    with pytest.raises(ValueError, match="expects an object with 'a'"):
        value_at({"q": '{"a": 1, "a": 2}'}, "q.a")


def test_a_bad_row_of_several_files_is_named_with_its_file(tmp_path: Path) -> None:
    path, row_map = write(tmp_path, "one file a row")
    (tmp_path / "3.json").write_text('{"q": "?"}')
    with pytest.raises(ValueError, match=r"3.json: row 1 lacks 's' \(it has q\)"):
        problems(path, row_map)
    (tmp_path / "3.json").write_text("{")
    with pytest.raises(ValueError, match=r"3.json is not JSON"):
        problems(path, row_map)


def test_numbers_of_a_table_are_those_that_were_meant(tmp_path: Path) -> None:
    """0.1 in 32 bits is 0.10000000149011612 in 64, an answer that nobody gives."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    golds = ["0.1", "12.5", "3", "16777216"]
    columns = {
        "narrow": arrow.array(list(map(float, golds)), arrow.float32()),
        "wide": arrow.array(list(map(float, golds))),
        "decimal": arrow.array([Decimal(gold) for gold in golds], arrow.decimal128(12, 2)),
    }
    questions, steps = [f"Question {i}?" for i in range(4)], ["so"] * 4
    parquet.write_table(arrow.table({"q": questions, "s": steps, **columns}), tmp_path / "a.parquet")
    for name in columns:
        found = problems(tmp_path / "a.parquet", RowMap(question="q", solution="s", gold=name))
        assert [canonical_number(one.gold) for one in found] == golds


def test_a_table_in_another_encoding_is_said_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("q,s\nCaf\u00e9?,#### 1\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"a.csv, near line 1: .* save the file as UTF-8"):
        problems(tmp_path / "a.csv", RowMap(question="q", solution="s"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("q,s\na,b,c\n", "row 1 has 3 fields, the first line names 2"),
        ("q,s\na\n", "row 1 has 1 fields, the first line names 2"),
        ("q,q\na,b\n", "names a field twice"),
        ('q,s\n"a,b\n', "near line"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        problems(tmp_path / "a.csv", RowMap(question="q", solution="s"))


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d")], "user, assistant, user, assistant"),
        ([("user", "a")], "messages of user at"),
        ([], "messages of none"),
        ([("tool", "a"), ("assistant", "b")], "messages of tool, assistant"),
    ],
)
def test_a_conversation_that_is_no_question_and_answer_is_refused(turns: list[tuple[str, str]], message: str) -> None:
    row = {"m": [{"role": role, "content": text} for role, text in turns]}
    with pytest.raises(ValueError, match=rf"{message}.*expected one of the user and one of the assistant"):
        RowMap(messages="m").parts(row)


def test_a_name_with_dots_is_found_before_a_path() -> None:
    assert value_at({"a.b": 1, "a": {"b": 2}}, "a.b") == 1


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        (r"\boxed{1} then \boxed{\frac{a}{\sqrt{b}}}.", r"\frac{a}{\sqrt{b}}"),
        (r"\boxed{\left\{1, 2\right\}}", r"\left\{1, 2\right\}"),
        (r"\boxed{1} but \boxed{2", "1"),
        ("none", None),
    ],
)
def test_the_last_whole_box_is_the_answer(text: str, inner: str | None) -> None:
    assert boxed(text) == inner
