"""Questions of the world for a person to solve, without their answers; and the agreement of what the person answered.

    python tests/reading_list.py print easy --seed 7101 --out reading                    # reading/easy.txt, reading/easy.gold
    python tests/reading_list.py print middle data.world.min_steps=3 data.world.max_steps=5 \\
        data.world.num_graphs=2000 data.world.max_distractors=2 data.world.max_value=100 --seed 7101 --out reading
    python tests/reading_list.py score reading/easy.gold reading/easy.answers            # "12 46": number and answer a line

A question is well told when a reader who does not see the gold answer gets it. Take a world seed that nothing else uses: it
draws other graphs, numbers and words. `print` writes `<name>.txt` ("12. Ann had ...") and `<name>.gold` ("12 46"); answers
are written as golds are.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

if __package__ in (None, ""):
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from rft import api
from rft.records import Problem
from rft.text.world import WorldSplit, world_problems


def problems(overrides: Sequence[str], *, seed: int, count: int) -> list[Problem]:
    """Problems of a world under another seed; of the validation split, on which nothing is trained."""
    world = api.plan("model=nano-xs", "method=sft", *overrides).planned.cfg.data.world
    if world is None:
        raise ValueError(f"{list(overrides)} is no setting of the embedded world: give a data of kind world")
    return world_problems(dataclasses.replace(world, seed=seed), split=WorldSplit.VALIDATION, count=count)


def write_list(found: list[Problem], *, name: str, out: Path) -> None:
    """The questions in one file, the golds in another."""
    out.mkdir(parents=True, exist_ok=True)
    numbered = list(enumerate(found, 1))
    (out / f"{name}.txt").write_text("".join(f"{number}. {p.question}\n" for number, p in numbered))
    (out / f"{name}.gold").write_text("".join(f"{number} {p.gold}\n" for number, p in numbered))


def disagreements(golds: str, answers: str) -> tuple[int, list[str]]:
    """(number of questions answered, a line for each answer that is not the gold). Raises ValueError for an answer to a
    question that is not listed."""
    gold, answered = (dict(line.split() for line in text.splitlines() if line.strip()) for text in (golds, answers))
    if not answered.keys() <= gold.keys():
        raise ValueError(f"answers to questions that are not listed: {sorted(answered.keys() - gold.keys())[:5]}")
    wrong = [f"{n}: gold {gold[n]}, read {read}" for n, read in answered.items() if float(read) != float(gold[n])]
    return len(answered), wrong


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    printing = commands.add_parser("print")
    printing.add_argument("name")
    printing.add_argument("overrides", nargs="*", help="key=value, as of rft run")
    printing.add_argument("--seed", type=int, required=True)
    printing.add_argument("--count", type=int, default=200)
    printing.add_argument("--out", type=Path, required=True)
    scoring = commands.add_parser("score")
    scoring.add_argument("gold", type=Path)
    scoring.add_argument("answers", type=Path)
    args = parser.parse_args()
    if args.command == "print":
        write_list(problems(args.overrides, seed=args.seed, count=args.count), name=args.name, out=args.out)
        return
    count, wrong = disagreements(args.gold.read_text(), args.answers.read_text())
    print("\n".join([*wrong, f"{count - len(wrong)} of {count} agree ({100 * (1 - len(wrong) / count):.1f} %)"]))


if __name__ == "__main__":
    main()
