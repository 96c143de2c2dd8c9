"""What happens once per multirun, whichever launcher runs it: a fresh list of cells at the start, a summary at the end."""

from __future__ import annotations

import atexit
import logging
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from rft.infra.study import Study

log = logging.getLogger("rft")


class StudyCallback(Callback):
    """Keeps the study's manifest; registered in conf/config.yaml."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        if config.dry_run:
            return
        study = Study(Path(config.hydra.sweep.dir), config.study_name)
        study.begin()
        atexit.register(print_summary, study)  # also when a launcher raises because a cell failed


def print_summary(study: Study) -> None:
    """Finished and missing cells, each missing one with its reason."""
    finished, missing = study.summary()
    if finished + len(missing) == 0:
        return
    print(f"{study.folder}: {finished} of {finished + len(missing)} cells have a record")
    for cell_id, reason in missing.items():
        print(f"  missing: {cell_id}: {reason}")
