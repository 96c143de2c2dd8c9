"""Rows of files that cannot be used as they are: refused by name or left out and counted, never read as something else."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from composing import composed
from hypothesis import given, settings
from hypothesis import strategies as st

from rft import grade as grade_cli
from rft import select as select_cli
from rft.plan.sources import resolve
from rft.records import Outcome, read_jsonl, write_jsonl
from rft.text import answers, equations, gsm8k, plain_equations
from rft.text.numbers import canonical_number
from rft.text.overlap import normalise
from rft.text.rows import numbered_rows

REPOSITORY = Path(__file__).resolve().parents[2]
ON_NUMBERS = tuple(name for name, rule in answers.RULES.items() if rule.numbers)
OWN_RULES = ("last_number", "answer_line")
OTHERS = tuple(name for name in ON_NUMBERS if name not in OWN_RULES)


def row(question: str, answer: str) -> dict[str, str]:
    return {"question": question, "answer": answer}


GOOD = row("Ann has 3 and 4. How many?", "3+4=<<3+4=7>>7\n#### 7")


def write(path: Path, *rows: Any) -> Path:
    text = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8", newline="\n")
    return path


# Gold answers


@pytest.mark.parametrize(
    "answer",
    ["x\n####18", "x\n#### $18", "x\n####  18", "x\n#### +5", "x\n#### -$5", "a\n#### 5\n#### 7"],
)
def test_a_solution_that_the_rule_cannot_read_is_refused_or_dropped(tmp_path: Path, answer: str):
    path = write(tmp_path / "a.jsonl", GOOD, row("Other?", answer), row("Third?", "#### 3"))
    with pytest.raises(ValueError, match=r"line 2 has the gold answer .* but rule gsm8k .*data.on_bad_gold=drop"):
        gsm8k.read_problems(path, rule="gsm8k")
    found = gsm8k.read_file(path, gsm8k.ReadAs(rule="gsm8k", on_bad_gold="drop", on_duplicate="error"))
    assert [problem.question for problem in found.problems] == [GOOD["question"], "Third?"]
    assert found.dropped == {"bad_gold": 1}


def test_all_bad_rows_are_named_at_once(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", *(row(f"Q{i}?", "####18") for i in range(30)))
    with pytest.raises(ValueError, match=r"line 1 has .*line 10 has .*; and 20 more\. Mend the rows"):
        gsm8k.read_problems(path, rule="gsm8k")


@pytest.mark.parametrize("gold", ["0,5", "1,2", "1/2", "12,34", "seven", ""])
def test_what_is_no_number_is_refused_by_name(tmp_path: Path, gold: str):
    with pytest.raises(ValueError, match=r"line 1 has no parsable gold answer: got .*commas before three digits alone"):
        gsm8k.read_problems(write(tmp_path / "a.jsonl", row("Q?", f"x\n#### {gold}")))


@pytest.mark.parametrize("gold", ["2.50", "5.0", ".5", "007", "18.", "1,234.50", "18.00", "-0", "1,450"])
@pytest.mark.parametrize("rule", ON_NUMBERS)
def test_a_gold_answer_equals_itself_under_every_rule(tmp_path: Path, gold: str, rule: str):
    """The text of a human solution is graded as that project would grade it against its own gold answer."""
    (problem,) = gsm8k.read_problems(write(tmp_path / "a.jsonl", row("Q?", f"so\n#### {gold}")), rule=rule)
    assert answers.grade(rule, problem.solution, problem.gold, False) is Outcome.CORRECT
    wrong = f"so\n#### {gold.lstrip('-')}1"
    assert answers.grade(rule, wrong, problem.gold, False) is not Outcome.CORRECT


@pytest.mark.parametrize("rule", ON_NUMBERS)
def test_other_projects_compare_text_and_ours_numbers(rule: str):
    same = answers.grade(rule, "#### 2.5", "2.50", False) is Outcome.CORRECT
    assert same == (rule in (*OWN_RULES, "paper", "paper_select"))


@pytest.mark.parametrize("text", ["#### \u22125", "#### \u2013 5", "#### - 5", "#### -5", "#### \uff0d5", "#### -$5"])
@pytest.mark.parametrize("rule", OWN_RULES)
def test_a_minus_sign_is_read_whatever_its_code(text: str, rule: str):
    assert answers.grade(rule, text, "-5", False) is Outcome.CORRECT
    assert answers.grade(rule, text, "5", False) is Outcome.WRONG


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("so 10-4 = 6", "6"), ("10 - 4", "4"), ("10-4", "4"), ("pages 3\u20135", "5"), ("(2)-3", "3"), ("it is -3", "-3"),
        ("a loss of -$5.", "-5"), ("x = - 7", "-7"), ("the rest - 7", "7"), ("50% - 3", "3"), ("1,5", None),
        ("see 1,2,3", None), ("he has 5, 6,", "6"), ("about 2.5e-3", "0.0025"), ("2e5x", "5"),
    ],
)  # fmt: skip
def test_the_last_number_and_its_sign(text: str, number: str | None):
    assert answers.extract("last_number", text) == number


def test_golds_written_as_json_numbers_are_read(tmp_path: Path):
    """GSM-Hard has gold answers such as 2.0107e-06."""
    rows = [
        {"question": f"Q{i}?", "solution": "x = y", "gold": gold} for i, gold in enumerate((2.0107e-06, -7.5, 12, 1e22))
    ]
    problems = gsm8k.read_problems(write(tmp_path / "a.jsonl", *rows), rule="gsm8k")
    assert [problem.gold for problem in problems] == ["0.0000020107", "-7.5", "12", "1" + "0" * 22]
    with pytest.raises(ValueError, match="no parsable gold answer"):
        gsm8k.read_problems(write(tmp_path / "b.jsonl", '{"question": "Q?", "solution": "x", "gold": Infinity}'))


@pytest.mark.parametrize(
    ("solution", "gold", "fault"),
    [("2+2=4\n#### 4", "5", "reads '4'"), ("#### Step 1: add\n2+2=4", "4", ""), ("2+2=4", "4", "")],
)
def test_a_solution_and_a_gold_answer_that_disagree(tmp_path: Path, solution: str, gold: str, fault: str):
    path = write(tmp_path / "a.jsonl", {"question": "Q?", "solution": solution, "gold": gold})
    if fault:
        with pytest.raises(ValueError, match=fault):
            gsm8k.read_problems(path, rule="gsm8k")
    else:
        (problem,) = gsm8k.read_problems(path, rule="gsm8k")
        assert problem.solution.endswith("\n#### 4")


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_published_solutions_pass_their_own_check(gsm8k_dir: Path, split: str):
    problems = gsm8k.read_problems(gsm8k_dir / f"{split}.jsonl", rule="gsm8k")
    assert len(problems) == gsm8k.RELEASES[split][0]
    assert all(gsm8k.own_fault(p, rule) == "" for p in problems for rule in ("strict_match", "paper", "answer_line"))


# Files


def test_duplicates_are_named_together_and_can_be_dropped(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", GOOD, row("B?", "#### 1"), GOOD, row("b? ", "#### 1"))
    with pytest.raises(ValueError, match=r"line 3 repeats the problem of line 1; line 4 repeats .* of line 2\. Remove"):
        gsm8k.read_problems(path)
    found = gsm8k.read_file(path, gsm8k.ReadAs(rule="gsm8k", on_bad_gold="error", on_duplicate="drop"))
    assert (len(found.problems), found.dropped) == (2, {"duplicate": 2})


@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_planning_counts_what_the_data_stage_reads(tmp_path: Path, ending: str):
    """The bytes of a gzip file hold line feeds of their own; a blank line and a dropped row are no problem."""
    rows = [row(f"Question {i}, is it {os.urandom(40).hex()}?", f"#### {i}") for i in range(400)]
    train = write(tmp_path / f"train{ending}", *rows, "", row("bad?", "####1"))
    test = write(tmp_path / f"test{ending}", *(row(f"Test {i}?", f"#### {i}") for i in range(100)))
    (tmp_path / "model.safetensors").write_bytes(b"")
    paths = (f"data.train_path={train}", f"data.test_path={test}", f"model.path={tmp_path}")
    sources = resolve(composed("data=gsm8k", "model=smollm2-135m", "data.on_bad_gold=drop", *paths))
    assert (sources.num_pool, sources.num_test) == (400, 100)


@pytest.mark.parametrize("inside", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c"])
@pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz"])
def test_separators_of_unicode_end_no_row(tmp_path: Path, inside: str, ending: str):
    text = json.dumps(row(f"One{inside}two?", "#### 1"), ensure_ascii=False).replace("\\u000b", "x").replace("\\f", "y")
    path = write(tmp_path / f"a{ending}", text, GOOD)
    assert len(gsm8k.read_problems(path)) == len(list(read_jsonl(path))) == len(list(numbered_rows(path))) == 2


def test_a_carriage_return_between_values_ends_no_row(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", '{"question": "One?",\r "answer": "#### 1"}', GOOD)
    assert len(gsm8k.read_problems(path)) == len(list(read_jsonl(path))) == 2


@pytest.mark.parametrize("cut", [5, 30, -1])
def test_a_truncated_gzip_file_is_named(tmp_path: Path, cut: int):
    whole = gzip.compress(
        "".join(json.dumps(row(f"Q{i} {os.urandom(9).hex()}?", "#### 1")) + "\n" for i in range(99)).encode()
    )
    (tmp_path / "a.jsonl.gz").write_bytes(whole[:cut])
    for reader in (gsm8k.read_problems, lambda path: list(read_jsonl(path))):
        with pytest.raises(ValueError, match=r"a\.jsonl\.gz.*damaged or truncated"):
            reader(tmp_path / "a.jsonl.gz")
    (tmp_path / "a.jsonl.gz").write_bytes(b"no gzip at all")
    with pytest.raises(ValueError, match=r"a\.jsonl\.gz.*damaged or truncated"):
        gsm8k.read_problems(tmp_path / "a.jsonl.gz")


def test_half_a_surrogate_pair_is_named_with_its_line(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", GOOD, '{"question": "a \\ud83d b?", "answer": "#### 1"}')
    with pytest.raises(ValueError, match="line 2 holds half of a surrogate pair"):
        gsm8k.read_problems(path)


def test_half_a_surrogate_pair_passes_through_grading_and_selection(tmp_path: Path):
    line = '{"id": "a", "gold": "7", "draw": 0, "text": "\\ud83d 3+4=<<3+4=7>>7\\n#### 7"}'
    path = write(tmp_path / "a.jsonl", line)
    assert grade_cli.main([str(path), "--per-item", str(tmp_path / "items.jsonl")]) == 0
    assert select_cli.main([str(path), "--out", str(tmp_path / "kept.jsonl")]) == 0
    assert json.loads((tmp_path / "kept.jsonl").read_text())["text"].startswith("\ud83d")


@pytest.mark.parametrize("limit", [0, -1])
def test_no_rows_are_never_all_rows(tmp_path: Path, limit: int):
    with pytest.raises(ValueError, match="the limit of rows is"):
        gsm8k.read_problems(write(tmp_path / "a.jsonl", GOOD), limit=limit)


# Leakage


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 - 5?", "What is 3 + 5?"),
        ("Compute 2*6.", "Compute 2/6."),
        ("Double 1.5", "Double 1,5"),
        ("Double 1.5", "Double 15"),
        ("Take -4 and 3.", "Take 4 and 3."),
        ("Is 3 < 4?", "Is 3 > 4?"),
        ("50% of 8", "50 of 8"),
    ],
)
def test_what_changes_the_problem_makes_another_question(one: str, other: str):
    assert normalise(one) != normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A 4-inch nail costs $1,450.", "a 4 inch nail costs 1450"),
        ("3 \u2212 5?", "3 - 5"),
        ("2 \u00d7 6", "2 * 6"),
        ("He said \u201cno\u201d \u2014 twice.", 'He said "no" twice'),
        ("\uff12\uff0b\uff13", "2 + 3"),
    ],
)
def test_typography_does_not(one: str, other: str):
    assert normalise(one) == normalise(other)


# Tools that write files


def test_a_log_that_standard_output_appends_to_is_kept(tmp_path: Path):
    rows = write(tmp_path / "a.jsonl", '{"id": "a", "gold": "7", "text": "#### 7"}')
    (tmp_path / "log.txt").write_text("before\n")
    command = [sys.executable, "-m", "rft.grade", str(rows), "--per-item", "/dev/stdout"]
    with open(tmp_path / "log.txt", "a") as log:
        subprocess.run(command, stdout=log, check=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    first, item, summary = (tmp_path / "log.txt").read_text().splitlines()
    assert (first, json.loads(item)["outcome"], json.loads(summary)["n"]) == ("before", "correct", 1)


def test_a_selection_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [{"id": f"q{i}", "gold": "7", "draw": 0, "text": f"{i}\n3+4=<<3+4=7>>7\n#### 7"} for i in range(3)]
    source = write(tmp_path / "in.jsonl", *rows)
    out = tmp_path / "kept.jsonl"
    out.write_text("former result\n")

    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full_disk)
        assert select_cli.main([str(source), "--out", str(out)]) == 2
    assert out.read_text() == "former result\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "kept.jsonl"]
    linked = tmp_path / "linked.jsonl"
    os.link(source, linked)
    assert select_cli.main([str(source), "--out", str(linked)]) == 0
    assert source.read_text() == "".join(json.dumps(one) + "\n" for one in rows), "the input under another name"


# Parsers of outside text

TEXT = st.text(alphabet=st.one_of(st.characters(), st.sampled_from("0123456789+-*/=<>()#$%,.x \n")), max_size=200)


@settings(max_examples=400, deadline=None)
@given(TEXT)
def test_parsers_of_model_text_never_raise(text: str):
    for rule in ON_NUMBERS:
        found = answers.extract(rule, text)
        assert found is None or isinstance(found, str)
        assert answers.grade(rule, text, "4", False) in Outcome
    for found in (plain_equations.extract(text), equations.equation_list(text)):
        equations.check_equations(found)
    normalise(text)


@settings(max_examples=300, deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(0, 6), st.booleans(), st.sampled_from(["-", "\u2212", "\u2013"]))
def test_every_spelling_of_a_number_is_that_number(number: int, places: int, grouped: bool, minus: str):
    """Against Python's own decimal arithmetic."""
    from decimal import Decimal

    value = Decimal(number).scaleb(-places)
    written = f"{abs(value):,.{places}f}" if grouped else f"{abs(value):.{places}f}"
    canonical = canonical_number((minus if value < 0 else "") + written)
    assert canonical is not None
    assert Decimal(canonical) == value
    assert canonical == canonical_number(canonical)


def test_words_that_hold_a_sign_are_no_equations():
    assert plain_equations.extract("They split the cost equally.") == []


def test_long_runs_of_digits_take_linear_time():
    body = {"Body": "b", "Question": "q?", "Answer": 1}
    times = []
    for size in (20_000, 80_000):
        start = time.perf_counter()
        gsm8k.svamp_row({**body, "Equation": "1" * size})
        times.append(time.perf_counter() - start)
    assert times[1] < 2.0, "40 kB took 41 s"


def test_rows_of_every_writer_read_back(tmp_path: Path):
    rows = [{"text": "a\u2028b\rc\x85d\n"}, {"text": "\u0000"}]
    for name in ("a.jsonl", "a.jsonl.gz"):
        write_jsonl(tmp_path / name, rows)
        assert list(read_jsonl(tmp_path / name)) == rows


# Which faults may be dropped


def test_only_a_bad_gold_answer_is_dropped_as_one(tmp_path: Path):
    good = {"question": "Q?", "solution": "x", "gold": "3"}
    for lacking in (
        {"question": "S?", "gold": "3"},
        {"question": "S?", "solution": "x"},
        {"solution": "gold", "gold": "3"},
    ):
        path = write(tmp_path / "a.jsonl", good, lacking)
        with pytest.raises(ValueError, match=r"line 2 lacks the field"):
            gsm8k.read_file(path, gsm8k.ReadAs(rule="gsm8k", on_bad_gold="drop", on_duplicate="error"))
    path = write(tmp_path / "a.jsonl", good, {**good, "gold": "three"})
    found = gsm8k.read_file(path, gsm8k.ReadAs(rule="gsm8k", on_bad_gold="drop", on_duplicate="error"))
    assert (len(found.problems), found.dropped) == (1, {"bad_gold": 1})


def test_a_gold_answer_beside_a_worked_answer_must_be_the_same(tmp_path: Path):
    other = {"question": "R?", "answer": "2+2=4\n#### 4", "gold": 4.0}
    assert len(gsm8k.read_problems(write(tmp_path / "a.jsonl", GOOD, other), rule="gsm8k")) == 2
    path = write(tmp_path / "a.jsonl", GOOD, {**other, "gold": "5"})
    with pytest.raises(ValueError, match=r"line 2 has the gold answer '5', but its answer ends in '4'"):
        gsm8k.read_problems(path, rule="gsm8k")


def test_a_key_that_occurs_twice_is_named(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", GOOD, '{"question": "A?", "question": "B?", "answer": "#### 5"}')
    with pytest.raises(ValueError, match=r"line 2 is not JSON: the key 'question' occurs twice"):
        gsm8k.read_problems(path)
