"""Slow, plain oracle of the selection of sampled solutions in Yuan et al. 2023 (arXiv 2308.01825).

Sections named in the docstrings are those of the facts collected about the paper ("facts"). Rows are dictionaries
with "id" (question), "gold", "text" (the sampled solution), "draw" and optionally "model".
"""

import ast
import functools
import math
import random
import re
import warnings

EQUATION_TOLERANCE = 1e-3
EVAL_TOLERANCE = 1e-4


def find_equations(text: str) -> list[str]:
    """List the raw contents of every `<<...>>`, in order of appearance.

    Facts, section 1, "Code details": regex `<<([^>]*)>>`.
    """
    return re.findall(r"<<([^>]*)>>", text)


def get_equation(text: str) -> str:
    """Return the key by which two reasoning paths are the same.

    Facts, section 1, "Distinct reasoning path" and "Code details": every `<<equation>>`, white space dropped, joined
    with `|`; a path without `<<>>` has the key ''. The paper says "white space" and the code "spaces"; the two differ
    on tabs and line breaks inside an equation only. Facts are silent on which wins: chosen all white space.
    """
    return "".join("|".join(find_equations(text)).split())


def _evaluate(node: ast.AST) -> int | float:
    """Evaluate an arithmetic syntax tree, raising ValueError on anything that is not arithmetic.

    Facts, section 1, "Filter": Python evaluation. Facts are silent on which Python expressions may occur: chosen
    real numbers, parentheses, unary + and -, and the operators + - * / // % **; powers with a base above 1e6 or an
    exponent above 64 in size are refused so that the oracle always ends.
    """
    if isinstance(node, ast.Expression):
        return _evaluate(node.body)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return node.value
    if isinstance(node, ast.UnaryOp):
        value = _evaluate(node.operand)
        if isinstance(node.op, ast.UAdd):
            return value
        if isinstance(node.op, ast.USub):
            return -value
    if isinstance(node, ast.BinOp):
        left = _evaluate(node.left)
        right = _evaluate(node.right)
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right
        if isinstance(node.op, ast.FloorDiv):
            return left // right
        if isinstance(node.op, ast.Mod):
            return left % right
        if isinstance(node.op, ast.Pow) and abs(left) <= 1e6 and abs(right) <= 64:
            result = left**right
            if type(result) in (int, float):
                return result
    raise ValueError("not arithmetic")


def equation_true(equation: str) -> bool:
    """Say whether the content of one `<<...>>` is valid.

    Facts, section 1, "Code details": valid iff |eval(lhs) - float(rhs)| < 1e-3 with lhs and rhs the parts 0 and 1 of
    split('='); so in `a=b=c` the part c is not looked at, and `float` refuses thousands commas and `$`. Facts are
    silent on an equation that raises or has no '=': chosen not valid. Facts are silent on whether white space is
    removed before evaluation: chosen to strip the two ends of a side only, so `1 000+5=1005` is not valid.
    """
    parts = equation.split("=")
    if len(parts) < 2:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(parts[0].strip(), mode="eval")
        return abs(_evaluate(tree) - float(parts[1])) < EQUATION_TOLERANCE
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
        return False


def equations_true(text: str) -> bool:
    """Say whether every `<<...>>` of a text is valid.

    Facts, section 1, "Filter" and "Code details": any wrong calculation drops the path; a path with no `<<>>` passes.
    """
    return all(equation_true(equation) for equation in find_equations(text))


def extract_answer(text: str) -> str | None:
    """Return the answer string of a solution, or None where the pattern does not occur.

    Facts, section 1, "Code details": the first `#### (\\-?[0-9\\.\\,]+)`, commas removed; hence exactly one space after
    the marks, no `$`. Facts are silent on matches that are no number ("#### ," or "#### 1.2.3"): chosen to return the
    string as it is ('' for a lone comma); it is then an answer, but equal to nothing.
    """
    match = re.search(r"#### (\-?[0-9\.\,]+)", text)
    if match is None:
        return None
    return match.group(1).replace(",", "")


def _to_float(answer: str | None) -> float | None:
    """Read an answer string as a number, commas removed.

    Facts, section 1, "Code details": commas removed, float. Facts are silent on strings that are no number: chosen
    None, which equals nothing.
    """
    if answer is None:
        return None
    try:
        return float(str(answer).replace(",", ""))
    except ValueError:
        return None


def _gold_answer(gold: str) -> str | None:
    """Return the gold answer from a reference solution or from a bare answer.

    Facts are silent on bare gold answers: chosen to take the text as the answer itself where it holds no "####".
    """
    gold = str(gold)
    return extract_answer(gold) if "####" in gold else gold.strip()


def answer_equal(a: str | None, b: str | None) -> bool:
    """Compare two answers as the selection does.

    Facts, section 1, "Code details": float equality. Facts are silent on missing answers: chosen unequal to all,
    two missing answers included.
    """
    left, right = _to_float(a), _to_float(b)
    return left is not None and right is not None and left == right


def eval_correct(pred_text: str, gold_text: str) -> bool:
    """Compare two solutions as the evaluation does.

    Facts, section 1, "eval.py": |pred - gold| < 1e-4. Facts are silent on how the evaluation extracts answers: chosen
    the same extraction as in the selection; a missing or unreadable answer is not correct.
    """
    pred, gold = _to_float(extract_answer(pred_text)), _to_float(_gold_answer(gold_text))
    return pred is not None and gold is not None and abs(pred - gold) < EVAL_TOLERANCE


def majority_vote(answers: list[str | None]) -> str | None:
    """Return the most frequent answer string, ties to the first seen.

    Facts, section 1, "eval.py": the vote is over non-invalid answer strings, so "42" and "42.0" are two candidates.
    Facts are silent on what is invalid: chosen None alone. Facts are silent on a vote without valid answers: chosen
    None. "First seen" is read as the answer whose first vote comes earliest, not the one that reaches the top count
    first.
    """
    valid = [answer for answer in answers if answer is not None]
    winner, most = None, 0
    for answer in valid:
        votes = valid.count(answer)
        if votes > most:
            winner, most = answer, votes
    return winner


@functools.lru_cache(maxsize=200_000)
def levenshtein(a: str, b: str) -> int:
    """Return the Levenshtein distance over characters, unit costs.

    Facts, section 1, "Algorithm 1" (Lev) and "Code details" (edit distance on the full response).
    """
    previous = list(range(len(b) + 1))
    for i, char_a in enumerate(a, start=1):
        row = [i]
        for j, char_b in enumerate(b, start=1):
            row.append(min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (char_a != char_b)))
        previous = row
    return previous[-1]


def _drop_reason(row: dict) -> str | None:
    """Say why the filter drops a row, or None where it passes.

    Facts, section 1, "Filter": wrong answer, wrong calculation. Facts are silent on the reason booked where several
    hold: chosen the first of no_answer, wrong_answer, false_equation. A present answer that is no number counts as
    wrong, not as missing (chosen).
    """
    answer = extract_answer(row["text"])
    if answer is None:
        return "no_answer"
    if not answer_equal(answer, _gold_answer(row["gold"])):
        return "wrong_answer"
    if not equations_true(row["text"]):
        return "false_equation"
    return None


def _replaces(candidate: str, incumbent: str, kept: list[str], variant: str, current: str) -> bool:
    """Say whether a candidate takes the place of the kept text with the same key.

    "algorithm1" - facts, section 1, "Algorithm 1": sum of Lev(r, r_i) > sum of Lev(r_s, r_i), strictly, r_i over the
    other kept paths. "Other" is read as: all kept paths of the question but r_s, the same set for both sums.

    "released" - facts, section 1, "Code details": summed over kept texts not equal to the current one. Facts are
    silent on which text is the current one: chosen (current="scored") the literal reading, the text whose distances
    are summed; the incumbent is then among the texts the candidate is measured against. Taking the candidate as the
    current one in both sums gives the same numbers, as the incumbent's distance to itself is 0. The other reading,
    current="incumbent", leaves the incumbent out of both sums, and is then the same as "algorithm1".
    """
    if variant == "algorithm1" or current == "incumbent":
        others = [text for text in kept if text != incumbent]
        return sum(levenshtein(candidate, text) for text in others) > sum(
            levenshtein(incumbent, text) for text in others
        )
    candidate_sum = sum(levenshtein(candidate, text) for text in kept if text != candidate)
    incumbent_sum = sum(levenshtein(incumbent, text) for text in kept if text != incumbent)
    return candidate_sum > incumbent_sum


def select(rows: list[dict], variant: str = "algorithm1", current: str = "scored") -> list[dict]:
    """Return copies of the kept rows with "key" added, in the order of the kept lists.

    Facts, section 1, "Filter", then "Algorithm 1" per question over the passing rows in the order given; models are
    pooled before it (the circled plus), so "model" has no say. Facts, "Code details": in "released" the human path is
    not in the de-duplication and the empty key is a key like any other. Facts are silent on both for "algorithm1":
    chosen the same, as R_q is read as the sampled paths and equal strings as equal paths. Replacement is in the same
    slot ("replace it by r"). Facts are silent on the order of questions: chosen by first appearance in the rows.
    `current` matters in "released" only; see `_replaces`.
    """
    if variant not in ("algorithm1", "released"):
        raise ValueError(f"unknown variant: {variant}")
    if current not in ("scored", "incumbent"):
        raise ValueError(f"unknown reading of current: {current}")
    kept_of: dict = {}
    for row in rows:
        kept = kept_of.setdefault(row["id"], [])
        if _drop_reason(row) is not None:
            continue
        new = {**row, "key": get_equation(row["text"])}
        slots = [slot for slot, old in enumerate(kept) if old["key"] == new["key"]]
        if not slots:
            kept.append(new)
            continue
        slot = slots[0]
        if _replaces(new["text"], kept[slot]["text"], [old["text"] for old in kept], variant, current):
            kept[slot] = new
    return [row for kept in kept_of.values() for row in kept]


def drop_counts(rows: list[dict]) -> dict:
    """Count the rows that are not kept, each once.

    Facts, section 1, "Filter" and "Algorithm 1". Facts are silent on such counts: chosen the order of `_drop_reason`;
    duplicate_path is the number of passing rows less the number of (question, key) pairs, whichever of the rows with
    one key is kept, so it is the same for both variants.
    """
    counts = {"no_answer": 0, "wrong_answer": 0, "false_equation": 0, "duplicate_path": 0}
    seen = set()
    for row in rows:
        reason = _drop_reason(row)
        if reason is None:
            pair = (row["id"], get_equation(row["text"]))
            if pair not in seen:
                seen.add(pair)
                continue
            reason = "duplicate_path"
        counts[reason] += 1
    return counts


def _number(value: float) -> str:
    """Write a number plainly, without a trailing ".0" or needless digits. Facts are silent: a helper of the pools."""
    value = round(value, 4)
    return str(int(value)) if value == int(value) else str(value)


def _commas(value: float) -> str:
    """Write a number with thousands commas. Facts are silent: a helper of the pools."""
    whole, _, rest = _number(value).partition(".")
    return f"{int(whole):,}" + (f".{rest}" if rest else "")


_OPENINGS = ("", "", "Let us see. ", "First, we count. ", "We solve it step by step.\n")
_STEP_WORDS = (
    "That makes {e}{r}.",
    "There are {e}{r} in all.",
    "So we get {e}{r} here.",
    "He has {e}{r} of them, which we note.",
    "It is {e}{r}.",
)
_ANSWERS = (
    *["#### {n}"] * 14,
    *["#### {c}"] * 4,
    "#### {n}.0",
    "#### {n}.",
    "So the answer is {n}.\n#### {n}",
    "#### {n} apples",
    "#### {n}\n#### 7",
    "#### {w}\n#### {n}",
    "#### {w}",
    "#### {w}",
    "#### -{n}",
    "####{n}",
    "####  {n}",
    "#### ${n}",
    "### {n}",
    "#### ,",
    "#### 1.2.3",
    "The answer is {n}.",
    "",
)


def _equation(rng: random.Random, left: float, op: str, right: float) -> tuple[str, float]:
    """Write one `<<...>>` with random flaws; return it and its true value. Facts are silent: a helper of the pools."""
    if op in "+*" and rng.random() < 0.4:
        left, right = right, left
    value = {"+": left + right, "-": left - right, "*": left * right, "/": left / right}[op]
    lhs, rhs = f"{_number(left)}{op}{_number(right)}", _number(value)
    kind = rng.random()
    if kind < 0.04:
        rhs = _number(value + rng.choice((1, -1, 10, 0.01)))
    elif kind < 0.06:
        rhs = str(round(value + rng.choice((0.0005, 0.002)), 4))
    elif kind < 0.08:
        rhs = _commas(value)
    elif kind < 0.09:
        lhs = f"{_commas(left)}{op}{_commas(right)}"
    elif kind < 0.11:
        rhs = f"{rhs}={rng.choice((rhs, '5'))}"
    elif kind < 0.13:
        lhs = f"({lhs})"
    elif kind < 0.18:
        lhs, rhs = f"{_number(left)} {op} {_number(right)} ", f" {rhs}"
    elif kind < 0.19:
        lhs = rng.choice((f"${lhs}", f"{lhs}%", "x", "", f"{_number(left)}/0"))
    elif kind < 0.20:
        return f"<<{lhs}>>", value
    return f"<<{lhs}={rhs}>>", value


def _solution(rng: random.Random, a: float, b: float, c: float, d: float) -> str:
    """Write one solution of a*b + c/d with random order, wording and flaws. Facts are silent: a helper of the pools."""
    product, quotient = _equation(rng, a, "*", b), _equation(rng, c, "/", d)
    steps = [product, quotient]
    if rng.random() < 0.35:
        steps.reverse()
    final = a * b + c / d
    steps.append(_equation(rng, steps[0][1], "+", steps[1][1]))
    shape = rng.random()
    if shape < 0.15:
        steps = [(f"<<{_number(a)}*{_number(b)}+{_number(c)}/{_number(d)}={_number(final)}>>", final)]
    elif shape < 0.25:
        steps = steps[-1:]
    elif shape < 0.33:
        steps = [("", value) for _, value in steps]
    elif shape < 0.36:
        steps = []
    show = _commas if rng.random() < 0.3 else _number
    lines = [rng.choice(_STEP_WORDS).format(e=equation, r=show(value)) for equation, value in steps]
    near = f"{round(final, 4) + 0.00005:.5f}"  # wrong for the selection, right for the evaluation
    wrong = rng.choice((_number(final + 1), _number(final - 1), _number(final + 0.5), near))
    ending = rng.choice(_ANSWERS).format(n=_number(final), c=_commas(final), w=wrong)
    return rng.choice(_OPENINGS) + rng.choice(("\n", " ")).join(lines) + "\n" + ending


def generate_pool(seed: int, num_questions: int, num_draws: int, num_models: int = 1) -> list[dict]:
    """Make a random pool of rows in processing order (question, model, draw), a function of its arguments alone.

    Facts, section 1, give the order of pooling only. Facts are silent on the rest: chosen short solutions of
    a*b + c/d, of which some hold exact copies, other operand or step orders, other wordings, wrong calculations, wrong
    or missing answers, no equations, thousands commas, decimals or variants of the `####` line. "gold" is the bare
    answer without commas. `num_draws` counts the draws of each model.
    """
    rng = random.Random(seed)
    rows = []
    for question in range(num_questions):
        scale = rng.choice((1, 1, 100))
        a, b, d = rng.randint(2, 20) * scale, rng.randint(2, 12), rng.choice((2, 3, 4, 5))
        c = rng.randint(1, 9) * (d if rng.random() < 0.7 else 1)
        if rng.random() < 0.3:
            a += rng.choice((0.5, 0.25))
        gold = _number(a * b + c / d)
        assert math.isfinite(float(gold))
        texts: list[str] = []
        for model in range(num_models):
            for draw in range(num_draws):
                copy = texts and rng.random() < 0.05
                texts.append(rng.choice(texts) if copy else _solution(rng, a, b, c, d))
                row = {"id": f"q{question}", "gold": gold, "text": texts[-1], "draw": draw, "model": f"model-{model}"}
                rows.append(row)
    return rows
