"""At the end of a multirun: its larger cells predicted from its smaller ones, as `rft predict` prints them.

hydra:
  callbacks:
    predict: {_target_: hydra_plugins.rft_study.predict_callback.PredictCallback}
"""

from __future__ import annotations

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig


class PredictCallback(Callback):
    """Of a study file, so that one command computes the cells and predicts."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        if config.dry_run:
            return
        from analysis.predict.command import main  # Hydra imports every plugin at every start

        main([str(config.hydra.sweep.dir)])
