"""What test_same_study.py says of SLURM, of three nodes of Ray: records, what was computed once, what W&B shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster.conftest import ray_cluster
from cluster.test_same_study import (  # noqa: F401
    CELLS,
    OFFLINE,
    test_every_stage_is_computed_once,
    test_records_and_rows_are_equal_cost_and_provenance_aside,
    test_wandb_shows_the_same_runs,
)
from cluster.tiny_sweep import run_tiny

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """The study on local processes and on Ray, each with a store of its own, by one Python."""
    folder = tmp_path_factory.mktemp("same-on-ray")
    with ray_cluster(3) as nodes:
        asked = ("+cluster=ray", "hydra.launcher.resources.all.memory_gb=0.5")
        words = (f"hydra.launcher.address='{nodes.arguments[-1]}'", *asked, *CELLS, *OFFLINE)
        by_ray = run_tiny(folder / "ray", "dag_ray", *words, python=nodes.python)
        here = ("hydra.launcher.workers=1", *CELLS, *OFFLINE)
        yield run_tiny(folder / "local", "dag_local", *here, python=nodes.python), by_ray
