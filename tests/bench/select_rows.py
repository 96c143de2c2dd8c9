"""Solutions such as a model samples: GSM8K's own, with sentences in another order, other words, and errors.

rows = sampled_rows(Path("train.jsonl"), draws=100, questions=7473, seed=0)      # {"id", "gold", "text", "draw"}

Of the solutions 38 % end in a wrong number (the paper's models: 62 % right, Table 1), 3 % of the right ones hold a false
equation. The right ones differ in wording, in the order of factors and of terms, and in the order of sentences.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WRONG_FRAC, FALSE_FRAC = 0.38, 0.03
EQUATION = re.compile(r"<<([0-9.]+)([+*])([0-9.]+)=")
RESULT = re.compile(r"=([0-9.]+)>>")
OPENINGS = ("", "", "First, ", "We know that ", "Let us see: ", "Then ")
ENDINGS = ("", "", " in all", ", as asked", " altogether")


def sampled_rows(source: Path, *, draws: int, questions: int, seed: int) -> Iterator[dict[str, Any]]:
    """The rows, question by question."""
    rng = random.Random(seed)
    with open(source, encoding="utf-8") as file:
        for place, line in zip(range(questions), file, strict=False):
            text = json.loads(line)["answer"]
            gold = text.rsplit("####", 1)[1].strip()
            for draw in range(draws):
                yield {"id": f"g-{place:05d}", "gold": gold, "text": varied(text, rng), "draw": draw}


def varied(text: str, rng: random.Random) -> str:
    """Another solution to the same question, right or wrong."""
    body, gold = text.rsplit("####", 1)
    lines = [_told(line, rng) for line in body.strip().split("\n")]
    if rng.random() < 0.3:
        place = rng.randrange(len(lines))
        lines.insert(rng.randrange(len(lines)), lines.pop(place))
    chance = rng.random()
    if chance < WRONG_FRAC:
        return "\n".join([*lines, f"#### {rng.randrange(1, 500)}"])
    solution = "\n".join([*lines, f"####{gold}"])
    return RESULT.sub("=1\\1>>", solution, count=1) if chance < WRONG_FRAC + FALSE_FRAC else solution


def _told(line: str, rng: random.Random) -> str:
    turned = EQUATION.sub(r"<<\3\2\1=", line) if rng.random() < 0.4 else line
    return f"{rng.choice(OPENINGS)}{turned.rstrip('.')}{rng.choice(ENDINGS)}."
