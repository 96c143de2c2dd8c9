"""What no node of a Ray cluster can hold is an error before anything runs, and in mid-run once its node stays lost."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from rft.infra.cluster.ray_demands import LOST_S, Demands
from rft.infra.cluster.resources import Resources, ResourceTable


def node(*, alive: bool = True, **resources: float) -> dict[str, Any]:
    return {"Alive": alive, "Resources": {"memory": 8.0 * 2**30, "node:10.0.0.1": 1.0, **resources}}


def demands(**how: Any) -> Demands:
    return Demands(**({"custom": {}, "own": False, "wait": False} | how))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        (Resources(cpus=3), "3 CPU, 0 GPU, 4.0 GiB of memory"),
        (Resources(gpus=0.5), "1 CPU, 0.5 GPU"),
        (Resources(memory_gb=8.5), "8.5 GiB of memory"),
        (Resources(cpus=2, gpus=1), "2 CPU, 1 GPU"),  # each is somewhere, both are nowhere
    ],
)
def test_what_no_node_holds_is_named_beside_what_the_nodes_have(asked: Resources, named: str):
    nodes = [
        node(CPU=2.0),
        node(CPU=1.0, GPU=1.0) if asked.cpus == 2 else node(CPU=1.0),
        node(alive=False, CPU=9, GPU=9),
    ]
    with pytest.raises(ValueError, match=r"no node of the Ray cluster has what stages ask for") as told:
        demands().check({Resources(): "corpus", asked: "finetune, shard"}, nodes)
    assert named in str(told.value)
    assert "(kind finetune, shard)" in str(told.value)
    assert "corpus" not in str(told.value)
    assert "2 CPU, 0 GPU, 8.0 GiB of memory" in str(told.value)
    assert "9 CPU" not in str(told.value)
    assert "hydra.launcher.wait_for_nodes=true" in str(told.value)


def test_the_node_of_a_cluster_made_for_the_sweep_is_all_there_will_be():
    with pytest.raises(ValueError, match=r"hydra\.launcher\.workers times \.threads") as told:
        demands(own=True).check({Resources(cpus=3): "finetune"}, [node(CPU=2.0)])
    assert "wait_for_nodes" not in str(told.value)


def test_a_demand_that_fills_a_node_is_met():
    demands().check({Resources(cpus=2, memory_gb=8): "finetune"}, [node(CPU=2.0)])


def test_a_share_of_more_than_one_gpu_is_refused_which_ray_would_do_in_mid_sweep():
    demands().check({Resources(gpus=0.5): "shard", Resources(gpus=2.0): "finetune"}, [node(CPU=1.0, GPU=2.0)])
    with pytest.raises(
        ValueError, match=r"stages of kind shard ask for 1\.5 GPUs; allowed are a share of one, or whole"
    ):
        demands().check({Resources(gpus=1.5): "shard"}, [node(CPU=1.0, GPU=2.0)])


def test_a_custom_resource_is_asked_for_by_every_stage():
    limited = demands(custom={"license": 1.0})
    limited.check({Resources(): "corpus"}, [node(CPU=1.0, license=1.0)])
    with pytest.raises(ValueError, match="1 license"):
        limited.check({Resources(): "corpus"}, [node(CPU=1.0)])


def test_nodes_that_join_are_waited_for_where_that_is_said(caplog: pytest.LogCaptureFixture):
    clock = iter([0.0, 9 * LOST_S])
    patient = demands(wait=True, clock=lambda: next(clock))
    with caplog.at_level(logging.WARNING, "rft"):
        patient.check({Resources(gpus=1): "finetune"}, [node(CPU=1.0)])
    assert "Such stages wait until a node joins" in caplog.text
    assert patient.hopeless({Resources(gpus=1)}, [node(CPU=1.0)]) == {}


def test_a_lost_node_is_told_of_waited_for_and_given_up(caplog: pytest.LogCaptureFixture):
    now_s = 0.0
    watched = demands(clock=lambda: now_s)
    asked, other = Resources(gpus=1), Resources()
    both, without = [node(CPU=1.0), node(CPU=1.0, GPU=1.0)], [node(CPU=1.0), node(alive=False)]
    assert watched.hopeless({asked, other}, both) == {}
    with caplog.at_level(logging.WARNING, "rft"):
        assert watched.hopeless({asked, other}, without) == {}
        assert watched.hopeless({asked, other}, without) == {}
    assert caplog.text.count("is lost, and no other has 1 CPU, 1 GPU") == 1
    now_s = LOST_S - 1
    assert watched.hopeless({asked, other}, without) == {}
    now_s = LOST_S
    (reason,) = watched.hopeless({asked, other}, without).values()
    assert "has had 1 CPU, 1 GPU, 4.0 GiB of memory for 10 minutes" in reason


def test_a_node_that_comes_back_begins_the_wait_anew():
    now_s = 0.0
    watched = demands(clock=lambda: now_s)
    asked, there, gone = Resources(gpus=1), [node(CPU=1.0, GPU=1.0)], [node(CPU=1.0)]
    watched.hopeless({asked}, gone)
    now_s = LOST_S - 1
    watched.hopeless({asked}, there)
    now_s = LOST_S + 1
    assert watched.hopeless({asked}, gone) == {}
    now_s = 2 * LOST_S + 1
    assert list(watched.hopeless({asked}, gone)) == [asked]


@pytest.mark.parametrize("value", ["2", True, -1, None, float("nan"), float("inf")])
def test_a_quantity_that_is_no_number_is_refused(value: Any):
    with pytest.raises(ValueError, match=r"resources\.kinds\.finetune\.gpus is .*; allowed is a number"):
        ResourceTable.read({"kinds": {"finetune": {"gpus": value}}})
