"""Hand-computed cases for the oracle of the paper's selection."""

import pytest

from .paper_selection import (
    answer_equal,
    drop_counts,
    equations_true,
    eval_correct,
    extract_answer,
    generate_pool,
    get_equation,
    levenshtein,
    majority_vote,
    select,
)


def _rows(*texts: str, gold: str = "2", question: str = "q") -> list[dict]:
    return [{"id": question, "gold": gold, "text": text, "draw": i} for i, text in enumerate(texts)]


def _draws(rows: list[dict], **options: str) -> list[int]:
    return [row["draw"] for row in select(rows, **options)]


def test_key() -> None:
    assert get_equation("a <<3 + 4 = 7>>7, b <<7*2=14>>14") == "3+4=7|7*2=14"
    assert get_equation("<<3+4=7>>") != get_equation("<<4+3=7>>")
    assert get_equation("no equation #### 3") == ""


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("no equation", True),
        ("<<3+4=7>>", True),
        ("<< (3 + 4) * 2 = 14 >>", True),
        ("<<1/3=0.333>>", True),
        ("<<1/3=0.33>>", False),
        ("<<3+4=7.0009>>", True),
        ("<<3+4=7.0011>>", False),
        ("<<3+4=7=9>>", True),
        ("<<3+4>>", False),
        ("<<>>", False),
        ("<<3+4==7>>", False),
        ("<<1,000+1=1001>>", False),
        ("<<1000+1=1,001>>", False),
        ("<<$3+4=7>>", False),
        ("<<50%*2=1>>", False),
        ("<<1/0=0>>", False),
        ("<<x=3>>", False),
        ("<<-3+5=2>>", True),
        ("<<3+4=7>> <<3+4=8>>", False),
    ],
)
def test_equations(text: str, valid: bool) -> None:
    assert equations_true(text) is valid


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("#### 42", "42"),
        ("#### 1,234.5", "1234.5"),
        ("#### -3 apples", "-3"),
        ("#### 1\n#### 2", "1"),
        ("#### 7.", "7."),
        ("#### ,", ""),
        ("####42", None),
        ("####  42", None),
        ("#### $42", None),
        ("42", None),
    ],
)
def test_extract_answer(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


def test_comparisons() -> None:
    assert answer_equal("1,000", "1000.0")
    assert not answer_equal("2.00005", "2")
    assert not answer_equal(None, None)
    assert not answer_equal("", "0")
    assert eval_correct("#### 2.00005", "x #### 2")
    assert eval_correct("#### 2.00005", "2")
    assert not eval_correct("#### 2.0002", "#### 2")
    assert not eval_correct("2", "#### 2")


def test_majority_vote() -> None:
    assert majority_vote(["1", "2", "2", None, None, None]) == "2"
    assert majority_vote(["1", "2", "2", "1"]) == "1"
    assert majority_vote(["42", "42.0", "7", "42.0"]) == "42.0"
    assert majority_vote([None]) is None
    assert majority_vote([]) is None


def test_levenshtein() -> None:
    assert levenshtein("kitten", "sitting") == 3
    assert levenshtein("", "abc") == 3
    assert levenshtein("abc", "abc") == 0


def test_more_dissimilar_text_takes_the_same_slot() -> None:
    # Distances to row 1: row 0 has 2 (both operands), row 2 has 3 (and the letter).
    rows = _rows("<<1+1=2>>a #### 2", "<<2+0=2>>a #### 2", "<<1+1=2>>b #### 2")
    for variant in ("algorithm1", "released"):
        assert _draws(rows, variant=variant) == [2, 1]
    assert [row["key"] for row in select(rows)] == ["1+1=2", "2+0=2"]


def test_tie_keeps_the_incumbent() -> None:
    # Distances to row 1: row 0 has 3, row 2 has 2; with the distance 1 to row 0 added, row 2 has 3 as well.
    rows = _rows("<<1+1=2>>b #### 2", "<<2+0=2>>a #### 2", "<<1+1=2>>a #### 2")
    for variant in ("algorithm1", "released"):
        assert _draws(rows, variant=variant) == [0, 1]


def test_variants_differ_with_nothing_else_kept() -> None:
    # Without other kept paths both sums are 0; the literal released sum of the candidate is its distance 1 to row 0.
    rows = _rows("<<1+1=2>>a #### 2", "<<1+1=2>>b #### 2")
    assert _draws(rows) == [0]
    assert _draws(rows, variant="released") == [1]
    assert _draws(rows, variant="released", current="incumbent") == [0]


def test_empty_key_is_one_path_and_questions_are_apart() -> None:
    rows = _rows("two #### 2", "two #### 2", "<<1+1=2>> #### 2") + _rows("two #### 2", question="p")
    assert [(row["id"], row["key"]) for row in select(rows)] == [("q", ""), ("q", "1+1=2"), ("p", "")]


def test_drop_counts() -> None:
    rows = _rows("<<1+1=3>> two", "<<1+1=3>> #### 3", "<<1+1=3>> #### 2", "<<1+1=2>> #### 2", "so <<1 + 1=2>> #### 2")
    assert drop_counts(rows) == {"no_answer": 1, "wrong_answer": 1, "false_equation": 1, "duplicate_path": 1}


@pytest.mark.parametrize("variant", ["algorithm1", "released"])
def test_pool(variant: str) -> None:
    rows = generate_pool(3, num_questions=5, num_draws=30, num_models=2)
    assert rows == generate_pool(3, num_questions=5, num_draws=30, num_models=2)
    assert rows != generate_pool(4, num_questions=5, num_draws=30, num_models=2)
    kept, counts = select(rows, variant=variant), drop_counts(rows)
    assert len(rows) == 300 == len(kept) + sum(counts.values())
    assert all(counts.values())
    assert len({(row["id"], row["key"]) for row in kept}) == len(kept)
