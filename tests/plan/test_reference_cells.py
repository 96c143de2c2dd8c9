"""The committed quickstart is what its command plans today: same settings, same keys of every stage behind a cell.

A setting or a stage that comes later must leave the cells from before alone at its default: else every pool is drawn anew
with new seeds, and cells of one setting stand apart in a study that grows. This test may change with the recipe, together
with the archive (`rft archive`).
"""

from __future__ import annotations

from pathlib import Path

import forked

from rft.records import read_json

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "multirun_outputs" / "reference" / "quickstart" / "study.json"


def test_the_command_of_the_committed_quickstart_plans_its_cells(tmp_path: Path) -> None:
    text = forked.run("-m", "rft.run", "+study=quickstart", "dry_run=true", f"store.root={tmp_path}", cwd=ROOT).stdout
    planned = {line.split(":")[0].strip() for line in text.splitlines() if line.startswith("  nano-")}
    committed = {cell["cell_id"] for cell in read_json(REFERENCE)["cells"]}
    assert len(planned) == 22
    assert planned == committed
