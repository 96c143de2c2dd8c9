"""The Hydra entry: compose, convert to dataclasses once, validate, plan, execute, write the record.

python -m rft.run                                          # one cell of the embedded default
python -m rft.run -m data_frac=0.25,1 method=sft,rft k=4   # a sweep
python -m rft.run +study=quickstart dry_run=true           # the plan of a study

What is slow to import (Hydra, torch) is imported where it is needed: `--help` and completion answer at once.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rft.conf_path import conf_folder, search_folders
from rft.overrides import check_overrides

if TYPE_CHECKING:
    from omegaconf import DictConfig

log = logging.getLogger("rft")


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

    try:
        finish(cfg, hits={}, arguments=sys.argv[1:])
    except ValueError as error:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise  # the other cells go on; the launcher reports at the end
        sys.exit(f"error: {error}")
    finally:
        _release_sampler()


def _release_sampler() -> None:
    """Close what sampling keeps open. Where nothing was sampled, nothing is imported for it: a plan needs no torch."""
    held = sys.modules.get("rft.core.sampling.held")
    if held is not None:
        held.release_sampler()


def finish(cfg: DictConfig, *, hits: Mapping[str, bool], arguments: Sequence[str]) -> None:
    """`run` for a launcher that has computed stages beforehand: `hits` says which of them were found finished.

    `arguments` are the command line's: a worker's own say nothing of the study.
    """
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from rft.cell import plan_cell, run_cell
    from rft.infra.study import Study
    from rft.typed import to_study_config

    folder = study_folder()
    try:
        cell = plan_cell(to_study_config(cfg))
    except ValueError as error:  # no cell: a sweep must not be taken for complete without it
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            job = " ".join(HydraConfig.get().overrides.task)
            Study(folder, str(cfg.study_name)).register_invalid(job, reason=str(error))
        raise
    record = run_cell(cell, study_folder=folder, hits=hits, arguments=arguments)
    if record is not None:
        _keep_configuration(record.parent)


def _keep_configuration(cell: Path) -> None:
    """Hydra writes a job's configuration where the job runs, which later jobs do too: each cell keeps its own."""
    from hydra.core.hydra_config import HydraConfig

    hydra_cfg = HydraConfig.get()
    name = hydra_cfg.output_subdir
    if name is not None and not (cell / name).exists():
        shutil.copytree(Path(hydra_cfg.runtime.output_dir) / name, cell / name)


def main() -> None:
    """Console entry."""
    arguments = sys.argv[1:]
    folders = search_folders(arguments)
    if "--help" in arguments or "-h" in arguments:
        from rft.usage import usage

        print(usage(folders))
        return
    problem = check_overrides(arguments, folders=folders)
    if problem is not None:
        sys.exit(problem)
    try:
        _compose_and_run()
    except KeyboardInterrupt:
        print("stopped; what was finished stays finished: run the same command again to continue", file=sys.stderr)
        sys.exit(130)


def _compose_and_run() -> None:
    import hydra

    import rft.typed  # noqa: F401 (conf/config.yaml starts from the schema that it registers)

    hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="config")(run)()


if __name__ == "__main__":
    main()
