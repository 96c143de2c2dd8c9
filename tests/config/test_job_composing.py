"""Jobs that share a composition get what Hydra itself would compose for each."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from composing import TINY
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.rft_launchers.job_composing import JobComposer
from rft.conf_path import conf_folder

JOBS = (
    ["model=nano-xs", "method=sft", "data_frac=0.5"],
    ["model=nano-xs", "method=rft", "k=4", "train.epoch_rule=per_fraction"],
    ["model=nano-s", "union=[nano-s,nano-xs]", "method=rft", "train.lr=null"],
    ["train=paper", "model=nano-xs", "+tracking.extra=1", "method=icl"],
    ["model=nano-xs", "hydra.job.name=other", "study_name=s", "train.epochs=2", "train.epochs=3"],
    ["+study=quickstart", "model=nano-xs", "k=2"],
)


def both(jobs: Sequence[Sequence[str]]) -> list[tuple[DictConfig, DictConfig]]:
    """(shared composition, Hydra's own) of every job, in one composer."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        master = loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN)
        composer = JobComposer(loader, master)
        return [(composer.compose(job), loader.load_sweep_config(master, list(job))) for job in jobs]


def test_equal_to_hydras_own_composition_in_any_order():
    jobs = [job for job in JOBS if "+tracking.extra=1" not in job]
    for ours, hydras in both([*jobs, *reversed(jobs), list(TINY), [*TINY, "k=3"]]):
        assert OmegaConf.to_container(ours, enum_to_str=True) == OmegaConf.to_container(hydras, enum_to_str=True)


def test_a_job_does_not_change_the_next_one():
    (one, _), (other, _) = both([["k=7"], ["method=sft"]])
    assert (one.k, other.k) == (7, 4)


@pytest.mark.parametrize("job", [["k=four"], ["kk=4"], ["model.arch.widht=3"], ["eval.split=tets"], ["model=nano-q"]])
def test_a_bad_override_is_refused_as_by_hydra(job: list[str]):
    with pytest.raises(ConfigCompositionException):
        both([job])
