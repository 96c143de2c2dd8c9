"""Select training paths from stored samples, such as those of another engine or another team.

    python -m rft.select FILE.jsonl --out KEPT.jsonl                 # "-" is standard input
    python -m rft.select FILE.jsonl --out KEPT.jsonl --policy balanced --cap 4 --models 7B,13B --max-draws 100
    python -m rft.select FILE.jsonl --out KEPT.jsonl --compat paper_script

A row is {"id": "g-1f3c", "gold": "72", "text": "48/2=<<48/2=24>>24\\n#### 72", "draw": 0}, optionally with "model",
"truncated", and "human" (the question's human path, for `--count-human`). KEPT.jsonl holds the kept rows with their
"key". Printed is one JSON object, drop counts flat:
    {"rows": 400, "questions": 4, "kept": 21, "no_answer": 7, "wrong_answer": 180, "truncated": 2, "false_equation": 9,
     "duplicate_path": 181}
Order: question (sorted by id), model (as `--models` lists them, else sorted), draw; the order of the lines is irrelevant.
A question's gold answer and human path may stand in any of its rows, and must be the same to the rule wherever they stand.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.records import Problem, Sample
from rft.text import answers, selection
from rft.text.dedup import TIE_BREAKS, thin
from rft.text.path_keys import EQUATIONS, path_equations
from rft.text.rows import draw_field, flag_field, model_field, numbered_rows, text_field
from rft.whole import whole_file

Origin = tuple[str, str, int]  # id, model, draw


@dataclass(frozen=True)
class Pool:
    """Rows of a file, joined by question."""

    rows: dict[Origin, dict[str, Any]]  # as read, for the output
    samples: list[Sample]
    problems: list[Problem]  # sorted by id


@dataclass(frozen=True)
class Stated:
    """What a row says of its question."""

    value: str
    where: str  # the row


class Questions:
    """Gold answer and human path of each question, from whichever rows have them."""

    def __init__(self, policy: selection.Policy) -> None:
        self.policy = policy
        self.golds: dict[str, Stated] = {}
        self.humans: dict[str, Stated] = {}

    def note(self, name: str, *, gold: str, human: str, where: str) -> None:
        """Take in a row. Raises ValueError, naming both rows, when an earlier one says otherwise."""
        known = self.golds.get(name)
        if known is None or known.value != gold:  # nearly all rows write what an earlier one has written
            self._note_gold(name, Stated(gold, where))
        if human:
            self._note_human(name, Stated(human, where))

    def _note_gold(self, name: str, gold: Stated) -> None:
        rule = self.policy.rule
        if fault := answers.gold_fault(rule, gold.value):
            raise ValueError(f"{gold.where} cannot be graded: {fault}")
        known = self.golds.setdefault(name, gold)
        if not answers.same_gold(rule, known.value, gold.value):
            raise ValueError(_disagreement(name, "gold answer", known, gold) + f" to rule {rule}")

    def _note_human(self, name: str, human: Stated) -> None:
        known = self.humans.setdefault(name, human)
        if known.value != human.value and self._facts(known.value) != self._facts(human.value):
            raise ValueError(_disagreement(name, "human path", known, human))

    def _facts(self, human: str) -> tuple[list[str], str | None]:
        """All that selection takes from a human path: its equations and its answer."""
        equations = path_equations(human, kind=self.policy.equations)
        return equations, answers.extract(self.policy.rule, human)

    def problems(self) -> list[Problem]:
        """The questions, sorted by id."""
        humans = {name: human.value for name, human in self.humans.items()}
        return [Problem(name, "", humans.get(name, ""), self.golds[name].value) for name in sorted(self.golds)]


def _disagreement(name: str, what: str, first: Stated, other: Stated) -> str:
    return (
        f"{other.where} has the {what} {other.value[:80]!r} and {first.where} has {first.value[:80]!r}: both are of question "
        f"{name!r}, and they are not the same"
    )


def read_pool(source: str, *, policy: selection.Policy) -> Pool:
    """Read all rows. Raises ValueError, with the line, for a missing or bad field, a draw that occurs twice, a gold answer
    that the policy's rule misreads, and rows that disagree about their question.
    """
    rows: dict[Origin, dict[str, Any]] = {}
    samples: list[Sample] = []
    questions = Questions(policy)
    for line, row in numbered_rows(source):
        where = f"{source}: line {line}"
        sample = _sample(row, where)
        gold = answers.gold_of(policy.rule, row, where=where)
        questions.note(sample.id, gold=gold, human=_human(row, where), where=where)
        origin = (sample.id, sample.model, sample.draw)
        if origin in rows:
            raise ValueError(f"{where} repeats draw {sample.draw} of question {sample.id!r}, model {sample.model!r}")
        rows[origin] = row
        samples.append(sample)
    if not rows:
        raise ValueError(f"{source} holds no row: expected one JSON object a line with id, gold, text and draw")
    return Pool(rows, samples, questions.problems())


def _human(row: dict[str, Any], where: str) -> str:
    return "" if row.get("human") is None else text_field(row, "human", where=where)


def _sample(row: dict[str, Any], where: str) -> Sample:
    name, text = text_field(row, "id", where=where), text_field(row, "text", where=where)
    draw, model = draw_field(row, where=where), model_field(row, where=where)
    return Sample(name, draw, text, flag_field(row, "truncated", where=where), 0, model)


def write_kept(path: Path, kept: Iterable[selection.KeptPath], rows: dict[Origin, dict[str, Any]]) -> int:
    """Write the kept rows as they came, with their key, whole or not at all; returns how many. ASCII: any string survives."""
    count = 0
    with whole_file(path) as file:
        for found in kept:
            file.write(json.dumps({**rows[found.id, found.model, found.draw], "key": found.key}) + "\n")
            count += 1
    return count


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m rft.select", description="Select training paths from samples.")
    parser.add_argument("source", help='JSON-lines file of {"id", "gold", "text", "draw"}, "-" for standard input')
    parser.add_argument("--out", type=Path, required=True, help="file for the kept rows")
    parser.add_argument("--policy", default="paper", help=f"one of {', '.join(selection.POLICIES)} (default: paper)")
    parser.add_argument(
        "--tie-break", choices=TIE_BREAKS, help="which of equal equation lists is kept (default: the policy's own)"
    )
    parser.add_argument("--compat", choices=["paper_script"], help="follow the paper's released script instead")
    parser.add_argument("--rule", choices=[*answers.RULES], help="grading rule (default: paper_select, float equality)")
    parser.add_argument(
        "--equations",
        choices=EQUATIONS,
        help="read equations in <<...>> or from the text (default: annotated)",
    )
    parser.add_argument("--tolerance", type=float, help="absolute tolerance of the equation check (default: 1e-3)")
    parser.add_argument("--cap", type=int, help="most paths kept per question")
    parser.add_argument("--count-human", action="store_true", help='a path with the key of "human" is a duplicate')
    parser.add_argument("--models", help="comma-separated; fixes the order of models (default: sorted)")
    parser.add_argument("--max-draws", type=int, help="use only this many draws of each model and question, the first")
    parser.add_argument("--thin", type=int, help="keep this many paths in all, chosen by seed")
    parser.add_argument("--seed", type=int, default=0, help="seed of random choices (default: 0)")
    parser.add_argument(
        "--stats",
        action="store_true",
        help="add correct and distinct samples per question, and paths by the models that found them",
    )
    return parser


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Select as the parsed options say, write the kept rows, return the summary. Raises ValueError on bad input."""
    if options.source != "-" and Path(options.source).resolve() == Path(options.out).resolve():
        raise ValueError(f"--out {options.out} is the input file: it would be overwritten, choose another name")
    if options.tolerance is not None and not 0 < options.tolerance < float("inf"):
        raise ValueError(f"--tolerance {options.tolerance} must be a finite number above 0: sides must differ by less")
    if options.compat and options.policy != "paper":
        raise ValueError(f"--compat {options.compat} is a policy of its own; leave --policy {options.policy} out")
    changed = {name: getattr(options, name) for name in ("rule", "equations", "tolerance", "cap", "tie_break")}
    changes = {name: value for name, value in changed.items() if value is not None}
    policy = selection.policy_named(options.compat or options.policy, count_human=options.count_human, **changes)
    pool = read_pool(options.source, policy=policy)
    models = options.models.split(",") if options.models else None
    chosen = selection.select(
        pool.samples, pool.problems, policy=policy, models=models, max_draws=options.max_draws, seed=options.seed
    )
    kept = chosen.kept
    if options.thin is not None:
        kept = thin(kept, size=options.thin, seed=options.seed)
    summary: dict[str, Any] = {"rows": len(pool.rows), "questions": len(pool.problems)}
    summary |= {"kept": write_kept(options.out, kept, pool.rows), **chosen.drop_counts}
    if len(kept) < len(chosen.kept):
        summary["thinned"] = len(chosen.kept) - len(kept)
    if chosen.stats.num_samples < len(pool.rows):
        summary["over_max_draws"] = len(pool.rows) - chosen.stats.num_samples
    if options.stats:
        stats = dataclasses.asdict(chosen.stats)
        summary["stats"] = stats | {
            "found_by": selection.intersections(chosen),
            "found_alone": chosen.stats.found_alone,
        }
    return summary


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, print the summary; 2 with a message on bad input."""
    options = _parser().parse_args(arguments)
    try:
        summary = run(options)
    except (ValueError, OSError) as error:
        print(f"rft.select: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print(
            "rft.select: memory does not hold all rows at once. Split the input into files of whole questions and select "
            "from each: questions do not depend on one another",
            file=sys.stderr,
        )
        return 2
    print(json.dumps(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
