"""Values of a tuned recipe that lie at an end of their grid, told once for each choice however many cells follow it.

tell_edges([cell.plan for cell in cells], store=store, say=log.warning)
# choose lr of nano-s: lr 0.01 is the largest tried: a better one may lie beyond the grid (24 cells follow it)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan
from rft.stages.tuning import Choice, Tuning


def tell_edges(cells: Iterable[CellPlan], *, store: StageStore, say: Callable[[str], None]) -> None:
    """A line for each finished choice of the cells whose best value is the first or the last of its grid."""
    choices: dict[Tuning, int] = {}
    for cell in cells:
        for stage in cell.own_stages:
            if isinstance(stage, Tuning):
                choices[stage] = choices.get(stage, 0) + 1
    for stage, num_cells in choices.items():
        entry = store.get(stage.kind, stage.key)
        found = Choice(entry.path).facts.at_edge if entry is not None else ()
        follow = f" ({num_cells} cells follow it)" if num_cells > 1 else ""
        for edge in found:
            say(f"{stage.label}: {edge}: a better one may lie beyond the grid{follow}")
