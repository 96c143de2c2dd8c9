"""`rft status DIR ...`: how far a study is: cells done, cells missing and why, stages being computed now.

    rft status multirun_outputs/quickstart
    multirun_outputs/quickstart: 17 of 18 cells have a record
      missing: nano-s_rft_f1_k16_s0-1a2b3c4d: not finished
      sweep 1: 18 cells, 2026-11-27T10:00:00+0000, +study=quickstart
      run by SLURM jobs: process 4711 on login1, since 2026-11-27 10:00
      SLURM: 14 jobs not ended: 2 RUNNING on node1 node2, 12 PENDING
      evaluate nano-s rft: 512 of 1,319 solutions, 31.2% correct so far (95 % interval 27.4% to 35.4%)
    being computed now in multirun_outputs/.store: shard 5f0c4a1e

From any shell, also after a lost connection, on any machine that sees the folder. Cells, and what running stages say of
themselves, are read from the study folder, so a copied one needs no store. The stages being computed are those of the store,
for whichever study.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rft.folders import STORE_HELP, store_of
from rft.records import STUDY_FILE


def main(arguments: Sequence[str]) -> int:
    """Parse the command line, print; 2 with a message when a folder is no study."""
    parser = argparse.ArgumentParser(prog="rft status", description="Cells done, cells missing, stages in progress.")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="study folders")
    parser.add_argument("--store", "--root", help=STORE_HELP)
    options = parser.parse_args(arguments)
    try:
        for folder in options.folders:
            print(study_text(folder))
        for root in dict.fromkeys(options.store or store_of(folder) for folder in options.folders):
            print(store_text(root))
    except (ValueError, OSError) as error:
        print(f"rft status: {error}", file=sys.stderr)
        return 2
    return 0


def study_text(folder: Path) -> str:
    """Cells of one study. Raises ValueError for another folder."""
    from rft.infra.cluster.queue_text import driver_lines
    from rft.infra.live_text import running_lines
    from rft.infra.study import Study

    if not (folder / STUDY_FILE).is_file():
        raise ValueError(
            f"{folder} is no study folder: it has no {STUDY_FILE}. Give the folder of a study, e.g. "
            "multirun_outputs/quickstart"
        )
    study = Study(folder, folder.name)
    sweeps = [f"  {one.text()}" for one in study.sweeps()]
    return "\n".join(
        [study.summary_text() or f"{folder}: no cells yet", *sweeps, *driver_lines(folder), *running_lines(folder)]
    )


def store_text(root: str | None) -> str:
    """Stages that live processes compute now, as far as the store's leases tell."""
    from rft.infra.buckets import is_url
    from rft.infra.disk import StoreError
    from rft.infra.stores import named_store

    if root is None or not (is_url(root) or Path(root).is_dir()):
        where = "beside the study" if root is None else f"in {root}"
        return f"there is no store {where}: what is being computed now is not known (--store says where it lies)"
    try:
        stages = named_store(root).computing()
    except StoreError as error:
        return f"what is being computed now is not known: {error}"
    names = [f"{kind} {key[:8]}" for kind, key in stages]
    return f"being computed now in {root}: {', '.join(names) or 'nothing'}"
