"""The Hydra entry: compose, convert to dataclasses once, validate, plan, execute, write the record.

python -m rft.run                                          # one cell of the embedded default
python -m rft.run -m data_frac=0.25,1 method=sft,rft k=4   # a sweep
python -m rft.run +study=quickstart dry_run=true           # the plan of a study
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from rft.overrides import check_overrides
from rft.typed import CONF, to_study_config

log = logging.getLogger("rft")


@dataclass(frozen=True)
class Place:
    """Where a cell's results go."""

    study: Path  # the study's folder
    folder: str | None  # the cell's folder in it; None: named after the cell


def cell_place() -> Place:
    """The place that Hydra gives to the running job."""
    hydra_cfg = HydraConfig.get()
    output = Path(hydra_cfg.runtime.output_dir)
    if hydra_cfg.mode is RunMode.MULTIRUN:
        return Place(output.parent, output.name)
    return Place(output, None)


def run(cfg: DictConfig) -> None:
    """One job: plan a cell, compute what is missing, write its record."""
    from rft.core.sampling.held import release_sampler

    try:
        finish(cfg, hits={}, arguments=sys.argv[1:])
    except ValueError as error:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise  # the other cells go on; the launcher reports at the end
        sys.exit(f"error: {error}")
    finally:
        release_sampler()


def finish(cfg: DictConfig, *, hits: Mapping[str, bool], arguments: Sequence[str]) -> None:
    """`run` for a launcher that has computed stages beforehand: `hits` says which of them were found finished.

    `arguments` are the command line's: a worker's own say nothing of the study.
    """
    from rft.cell import run_cell  # after composition: `--help` and completion stay fast

    place = cell_place()
    record = run_cell(
        to_study_config(cfg), study_folder=place.study, folder=place.folder, hits=hits, arguments=arguments
    )
    if record is not None and place.folder is None:
        _keep_configuration(place.study, record.parent)


def _keep_configuration(output: Path, cell: Path) -> None:
    """Single runs share Hydra's folder, which holds the last one's configuration: each cell keeps its own."""
    name = HydraConfig.get().output_subdir
    if name is not None and not (cell / name).exists():
        shutil.copytree(output / name, cell / name)


def main() -> None:
    """Console entry."""
    problem = check_overrides(sys.argv[1:], conf=CONF)
    if problem is not None:
        sys.exit(problem)
    try:
        _compose_and_run()
    except KeyboardInterrupt:
        print("stopped; what was finished stays finished: run the same command again to continue", file=sys.stderr)
        sys.exit(130)


def _compose_and_run() -> None:
    hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(run)()


if __name__ == "__main__":
    main()
