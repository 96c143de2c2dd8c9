"""What happens once per run, whichever launcher runs it.

A multirun adds its cells to those of the study and ends with a summary. A dry run (`dry_run=true`) leaves nothing: Hydra's
own folders go to a place that is removed. Where jobs are launched one by one, their plans are shown as one at its end.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, open_dict, read_write

if TYPE_CHECKING:
    from rft.infra.study import Study

log = logging.getLogger("rft")


class StudyCallback(Callback):
    """Keeps the study's manifest; registered in conf/config.yaml."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        _write_nothing(config)
        if config.dry_run:
            _redirect(config, "run")

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        _write_nothing(config)
        if config.dry_run:
            _redirect(config, "sweep")
            return
        from rft.infra.study import Study, new_token  # Hydra imports every plugin at every start, completion included

        study = Study(Path(config.hydra.sweep.dir), config.study_name, new_token())
        if config.study_replace and (there := study.cells()):
            names = ", ".join(str(entry["cell_id"]) for entry in there)
            print(
                f"study_replace=true: once this sweep is planned, {study.folder} no longer lists {len(there)} cells (their "
                f"folders stay): {names}"
            )
        study.begin(replace=bool(config.study_replace), command=sys.argv[1:])
        with read_write(config), open_dict(config):  # as an override, since jobs are composed anew
            config.hydra.overrides.hydra.append(f"plan.sweep='{study.sweep}'")
        atexit.register(over, study)  # also when a launcher raises because a cell failed

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        if config.dry_run:
            from rft.execute.gathered import gathered_text

            text = gathered_text(Path(config.hydra.sweep.dir))
            if text is not None:  # a launcher that plans the sweep as one graph has shown it
                print(text)


def _redirect(config: DictConfig, mode: str) -> None:
    """Let Hydra write into a folder that is removed at the end; as an override, since jobs are composed anew."""
    folder = tempfile.mkdtemp(prefix="rft-dry-run-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with read_write(config), open_dict(config):
        config.hydra[mode].dir = folder
        config.hydra.overrides.hydra.append(f"hydra.{mode}.dir='{folder}'")


def _write_nothing(config: DictConfig) -> None:
    """Hydra would write configurations as they are, secrets included: rft.execute.configuration does it instead."""
    if config.hydra.output_subdir is not None:
        with read_write(config), open_dict(config):
            config.hydra.output_subdir = None
            config.hydra.overrides.hydra.append("hydra.output_subdir=null")


def over(study: Study) -> None:
    """Print finished and missing cells, each missing one with its reason; the multirun no longer is under way."""
    from rft.infra.disk import StoreError

    text = study.summary_text()
    if text:
        print(text)
    with suppress(StoreError):  # a disk that takes nothing: told by whoever computed
        study.end()
