"""The configuration of a job as it is kept beside its results: secrets masked, readable by its owner alone.

    keep_configuration(config, hydra=hydra, folder=cell)       # cell/.hydra/{config,hydra,overrides}.yaml, once
    masked(config)                                # for whatever else writes a configuration

Hydra would write these files itself, as they are and readable for all: conf/config.yaml has it write none.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rft.infra.masking import mask_tree, private_file

KEPT_FOLDER = ".hydra"


def masked(config: DictConfig) -> DictConfig:
    """A copy without secrets. What refers to other values still refers to them."""
    found = OmegaConf.create(mask_tree(OmegaConf.to_container(config, resolve=False)))
    assert isinstance(found, DictConfig)
    return found


def keep_configuration(config: DictConfig, *, hydra: DictConfig, folder: Path) -> None:
    """The job's own part, Hydra's part and the overrides, into `folder`/.hydra; what is there stays."""
    kept = folder / KEPT_FOLDER
    if kept.exists():
        return
    own = masked(OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"]))
    theirs = masked(OmegaConf.create({"hydra": hydra}))
    beside = folder / f"{KEPT_FOLDER}.{os.getpid()}"
    beside.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Any] = {"config": own, "hydra": theirs, "overrides": theirs.hydra.overrides.task}
    for name, part in parts.items():
        with private_file(beside / f"{name}.yaml") as file:
            file.write(OmegaConf.to_yaml(part))
    try:
        beside.rename(kept)
    except OSError:  # another sweep that has this cell too kept it meanwhile
        if not kept.exists():
            raise
        shutil.rmtree(beside)
