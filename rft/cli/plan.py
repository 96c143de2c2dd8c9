"""`rft plan [-m] [key=value ...]`: the plan of what `rft run` with the same arguments would compute; writes nothing.

rft plan +study=quickstart
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.cli import run

DRY = "dry_run=true"


def main(arguments: Sequence[str]) -> int:
    """A dry run."""
    return run.main(with_last_override(arguments, DRY))


def with_last_override(arguments: Sequence[str], override: str) -> list[str]:
    """The arguments with an override right behind the others, so that it wins (Hydra allows no flag in between)."""
    places = [i for i, argument in enumerate(arguments) if "=" in argument and not argument.startswith("-")]
    place = places[-1] + 1 if places else len(arguments)
    return [*arguments[:place], override, *arguments[place:]]
