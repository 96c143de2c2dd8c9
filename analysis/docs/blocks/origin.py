"""A block that says what a study is: cells, command, commit, machine, date.

<!-- generated: quickstart origin -->
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.docs.blocks.tables import no_words
from analysis.docs.registry import Reference, makes

SHORT_COMMIT = 7


@makes("origin")
def origin(study: Reference, words: Sequence[str]) -> str:
    """One sentence; all of it stands in the archive."""
    no_words(words)
    about = study.about
    commands = ", ".join(f"`{command}`" for command in about.commands)
    commits = ", ".join(commit[:SHORT_COMMIT] for commit in about.commits) or "unknown"
    changed = " with changes that no commit holds" if about.dirty else ""
    lacking = f", {len(about.missing)} cells missing" if about.missing else ""
    days = " to ".join(dict.fromkeys(start[:10] for start in about.started))
    return (
        f"{about.num_cells} cells{lacking}; {commands}; commit {commits}{changed}; {'; '.join(about.machines)}; {days}. "
        f"Records: `multirun_outputs/reference/{study.folder.name}`."
    )
