"""Notes on the code that made the stages of loaded cells: by several versions of it, or by another than their records name.

    code_notes(table.cells)      # ['evaluate: 12 of 20 cells rest on stages that other code made than ...']

A record says the digest of the code of each stage, and of each kind as it stood when the record was written. Of stages from
before digests were kept nothing is known, and nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from analysis.load.cells import Cell


def code_notes(cells: Sequence[Cell]) -> list[str]:
    """A note a kind of stage, where there is something to say."""
    versions: dict[str, set[str]] = {}
    reused: dict[str, list[int]] = {}
    for place, cell in enumerate(cells):
        now = cell.provenance.get("code") or {}
        for row in cell.stages:
            code, kind = row.get("code"), row["name"]
            if code is not None:
                versions.setdefault(kind, set()).add(code)
                if now.get(kind, code) != code:
                    reused.setdefault(kind, []).append(place)
    drifted = [f"{kind} ({len(set(reused[kind]))} of {len(cells)} cells)" for kind in versions if kind in reused]
    several = [f"{kind} ({len(found)} versions)" for kind, found in versions.items() if len(found) > 1]
    notes = []
    if drifted:
        notes.append(
            f"Stages were reused that other code made than stood there when the records were written: {', '.join(drifted)}. "
            "Whether it changes results is not known; rft explain names what differs, rft verify --stages computes it again."
        )
    if several:
        notes.append(f"Stages of one kind were made by several versions of their code: {', '.join(several)}.")
    return notes
