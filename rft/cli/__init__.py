"""The command `rft`: one program, a subcommand for each thing to do, one file for each subcommand.

    rft run +study=quickstart          # rft.cli.run
    rft status multirun_outputs/mine   # rft.cli.status
    rft --help

Each file but `completion` and `pipe` has `main(arguments) -> exit status` and is imported when it is called for, so that help
answers at once. To add a subcommand, add its file and a line to COMMANDS.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rft.cli.pipe import until_reader_leaves

THROUGH_HYDRA = ("run", "plan")  # subcommands whose arguments Hydra reads


@dataclass(frozen=True)
class Command:
    """One subcommand; its file is rft/cli/<name>.py."""

    name: str
    summary: str


COMMANDS = (
    Command("run", "compute a cell, or with -m a whole sweep"),
    Command("plan", "what a run would compute: stages, tokens, time; nothing is written"),
    Command("status", "progress of a study: cells done, cells missing and why, stages being computed now"),
    Command("stop", "end a sweep that runs, from any shell: its workers, Ray tasks or SLURM jobs"),
    Command("study", "take cells off a study's list; nothing is deleted"),
    Command("plot", "figures, tables, fits and claims of a study (or of the published one: --paper)"),
    Command("predict", "predict the larger cells of a study from the smaller ones, then look"),
    Command("report", "what plot draws, in one HTML file that opens from disk"),
    Command(
        "explore", "a page on this machine: from a point to its cells, from two cells to what flipped between them"
    ),
    Command("export", "a finished cell for others: training set and model, as other tools read them"),
    Command("archive", "keep a finished study in a few megabytes, for version control"),
    Command(
        "verify", "check a study: digests, scores and grades computed again, chosen stages too; 1 if anything differs"
    ),
    Command("explain", "from a cell back to its stages, code, packages and machine; why a stage would run again"),
    Command("diff", "what two studies or two cells differ in, and which problems flipped between them"),
    Command("grade", "grade stored solutions under a named rule"),
    Command("select", "choose correct and distinct solutions from a stored pool"),
    Command("store", "list what the stage store holds; remove what no study needs"),
)


def main() -> None:
    """Console entry."""
    arguments = sys.argv[1:]
    if arguments[:1] and arguments[0] in THROUGH_HYDRA:
        sys.exit(call(arguments))  # a sweep is not to end because nobody reads on
    with until_reader_leaves():
        status = call(arguments)
    sys.exit(status)


def call(arguments: Sequence[str]) -> int:
    """Run the subcommand that the arguments name; returns the exit status (2 for one that does not exist)."""
    first, *rest = arguments or ["--help"]
    if first in ("--help", "-h", "help"):
        print(help_text())
        return 0
    if first in ("--version", "-V"):
        print(_version())
        return 0
    if first.startswith("-"):
        from rft.cli import completion
        from rft.config.overrides import COMPLETION_FLAGS

        if first in COMPLETION_FLAGS:
            return completion.complete(arguments)
    if first not in {command.name for command in COMMANDS}:
        print(f"rft: unknown command {first!r}.{_suggestion(first)}\n{help_text()}", file=sys.stderr)
        return 2
    if first not in THROUGH_HYDRA:  # which takes the program's name, for completion, from here
        sys.argv[0] = f"rft {first}"  # in the usage that argparse prints
    module = importlib.import_module(f"rft.cli.{first}")
    status: int = module.main(rest)
    return status


def help_text() -> str:
    """All subcommands, a line each."""
    width = max(len(command.name) for command in COMMANDS)
    lines = [f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS]
    return "\n".join(
        [
            "usage: rft COMMAND [arguments]",
            "",
            "Scaling-law studies of rejection-sampling fine-tuning.",
            "",
            *lines,
            "",
            '`rft COMMAND --help` says more of one; shell completion: eval "$(rft -sc install=bash)"',
        ]
    )


def _version() -> str:
    from importlib.metadata import version

    return f"rft {version('rft-scaling')}"


def _suggestion(word: str) -> str:
    from rft.registry import nearest

    close = nearest(word, [command.name for command in COMMANDS])
    return f" Did you mean {close}?" if close else ""
