"""The Hydra entry: compose, convert to dataclasses once, validate, plan, execute, write the record.

python -m rft.run                                          # one cell of the embedded default
python -m rft.run -m data_frac=0.25,1 method=sft,rft k=4   # a sweep
python -m rft.run +study=quickstart dry_run=true           # the plan of a study

What is slow to import (Hydra, torch) is imported where it is needed: `--help` and completion answer at once.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rft.conf_path import conf_folder, search_folders
from rft.config.overrides import check_overrides, named_plugins
from rft.infra.interrupts import stopped_by_signals
from rft.infra.masking import mask_text

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger("rft")

PROGRAM = ("python", "-m", "rft.run")
OF_SWEEP = "plan."  # keys that a sweep adds to those of its jobs


def study_folder() -> Path:
    """The folder of the study that the running job belongs to."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    hydra_cfg = HydraConfig.get()
    return Path(hydra_cfg.sweep.dir if hydra_cfg.mode is RunMode.MULTIRUN else hydra_cfg.runtime.output_dir)


def run(cfg: DictConfig) -> None:
    """One job: plan a cell, compute what is missing, write its record."""
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from rft.execute.cell import plan_cell, run_cell
    from rft.execute.configuration import keep_configuration
    from rft.infra.disk import StoreError
    from rft.infra.study import Study
    from rft.plan.typed import to_study_config

    folder, swept = study_folder(), HydraConfig.get().mode is RunMode.MULTIRUN
    try:
        cell = plan_cell(to_study_config(cfg))
    except ValueError as error:  # the job is no cell; written down, so that nobody takes the sweep for complete
        if swept:
            job = " ".join(word for word in HydraConfig.get().overrides.task if not word.startswith(OF_SWEEP))
            Study(folder, str(cfg.study_name), str(cfg.plan.sweep)).register_invalid(job, reason=str(error))
            raise  # the other cells go on; the launcher reports at the end
        sys.exit(mask_text(f"error: {error}"))
    try:
        gather = folder if swept else None
        record = run_cell(cell, study_folder=folder, command=[*PROGRAM, *sys.argv[1:]], gather=gather)
    except (ValueError, StoreError) as error:  # a StoreError is a full or refusing disk
        if swept:
            raise
        sys.exit(mask_text(f"error: {error}"))
    if record is not None:
        keep_configuration(cfg, hydra=HydraConfig.get(), folder=record.parent)


def main() -> None:
    """Console entry."""
    arguments = sys.argv[1:]
    folders = search_folders(arguments)
    if "--help" in arguments or "-h" in arguments:
        from rft.usage import usage

        print(usage(folders))
        return
    from rft.plan.typed import method_options, named_choices, store_schema

    try:
        store_schema(named_plugins(arguments))
    except ValueError as error:
        sys.exit(mask_text(f"error: {error}"))
    problem = check_overrides(arguments, folders=folders, choices=named_choices(), options=method_options())
    if problem is not None:
        sys.exit(mask_text(problem))
    try:
        with stopped_by_signals():
            _compose_and_run()
    except KeyboardInterrupt:
        print("stopped; what was finished stays finished: run the same command again to continue", file=sys.stderr)
        sys.exit(130)


def _compose_and_run() -> None:
    import hydra

    hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(run)()


if __name__ == "__main__":
    main()
