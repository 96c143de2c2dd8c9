"""The recipes of docs/clusters.md: YAML whose fields their engines know, and commands that this program takes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_docs import OVERRIDE, problem_of

PAGE = (Path(__file__).resolve().parent.parent / "docs/clusters.md").read_text(encoding="utf-8")
KUBERAY, SKYPILOT = (
    yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
)
# Fields as the engines' own references list them, read on 2026-11-28: KubeRay's docs/reference/api.md of the group ray.io/v1,
# SkyPilot's "SkyPilot YAML" (docs.skypilot.co, reference/yaml-spec). Only those that a recipe could want.
RAY_JOB = {
    "activeDeadlineSeconds", "backoffLimit", "clusterSelector", "deletionStrategy", "entrypoint", "entrypointNumCpus",
    "entrypointNumGpus", "entrypointResources", "jobId", "managedBy", "metadata", "rayClusterSpec", "runtimeEnvYAML",
    "shutdownAfterJobFinishes", "submissionMode", "submitterConfig", "submitterPodTemplate", "suspend",
    "ttlSecondsAfterFinished",
}  # fmt: skip
RAY_CLUSTER = {
    "autoscalerOptions", "enableInTreeAutoscaling", "gcsFaultToleranceOptions", "headGroupSpec", "headServiceAnnotations",
    "managedBy", "rayVersion", "suspend", "workerGroupSpecs",
}  # fmt: skip
HEAD = {"enableIngress", "headService", "rayStartParams", "serviceType", "template"}
WORKERS = {
    "groupName", "idleTimeoutSeconds", "maxReplicas", "minReplicas", "numOfHosts", "rayStartParams", "replicas",
    "scaleStrategy", "suspend", "template",
}  # fmt: skip
TASK = {
    "name",
    "workdir",
    "num_nodes",
    "resources",
    "envs",
    "secrets",
    "volumes",
    "file_mounts",
    "setup",
    "run",
    "config",
}
RESOURCES = {
    "infra", "accelerators", "accelerator_args", "cpus", "memory", "instance_type", "use_spot", "disk_size", "disk_tier",
    "network_tier", "max_hourly_cost", "image_id", "ports", "labels", "autostop", "any_of", "ordered", "job_recovery",
}  # fmt: skip


def runs_in(text: str) -> list[list[str]]:
    """The words of each run of this program."""
    lines = [shlex.split(line) for line in text.splitlines()]
    return [words for words in lines if words[:3] == ["python", "-m", "rft.run"]]


def pods(spec: dict[str, Any]) -> list[dict[str, Any]]:
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    return [group["template"]["spec"] for group in groups]


def test_a_ray_job_has_the_fields_of_kuberay():
    spec = KUBERAY["spec"]
    cluster = spec["rayClusterSpec"]
    assert (KUBERAY["apiVersion"], KUBERAY["kind"]) == ("ray.io/v1", "RayJob")
    assert set(spec) <= RAY_JOB
    assert set(cluster) <= RAY_CLUSTER
    assert set(cluster["headGroupSpec"]) <= HEAD
    assert all(set(group) <= WORKERS for group in cluster["workerGroupSpecs"])
    starts = [group["rayStartParams"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    assert all(isinstance(value, str) for start in starts for value in start.values())


def test_all_pods_of_a_ray_job_share_the_folder_that_the_command_writes_to():
    (words,) = runs_in(KUBERAY["spec"]["entrypoint"])
    given = dict(word.split("=", 1) for word in words[3:])
    for pod in pods(KUBERAY["spec"]["rayClusterSpec"]):
        claims = {one["name"] for one in pod["volumes"] if "persistentVolumeClaim" in one}
        mounts = {one["mountPath"]: one["name"] for one in pod["containers"][0]["volumeMounts"]}
        assert mounts["/shared"] in claims
        assert set(mounts.values()) <= {one["name"] for one in pod["volumes"]}
    assert given["store.root"].startswith("/shared/")
    assert given["hydra.sweep.dir"].startswith("/shared/")


def test_a_task_has_the_fields_of_skypilot():
    assert set(SKYPILOT) <= TASK
    assert set(SKYPILOT["resources"]) <= RESOURCES
    assert re.fullmatch(r"[\w-]+:\d+", SKYPILOT["resources"]["accelerators"])
    assert all(mount["mode"] in ("MOUNT", "COPY", "MOUNT_CACHED") for mount in SKYPILOT["file_mounts"].values())


@pytest.mark.parametrize("text", [KUBERAY["spec"]["entrypoint"], SKYPILOT["run"]], ids=["kuberay", "skypilot"])
def test_commands_name_keys_and_choices_that_exist(text: str):
    (words,) = runs_in(text)
    assert all(OVERRIDE.fullmatch(word) for word in words[3:])
    assert problem_of(words[3:]) is None
    assert problem_of([*words[3:], "train.dtpe=bfloat16"]) is not None


def test_a_node_has_what_the_largest_stage_asks_for():
    """Of the resources in conf/cluster/shared/large-models.yaml: Ray would wait for ever for what no node has."""
    said = yaml.safe_load(Path(__file__).parents[1].joinpath("conf/cluster/shared/large-models.yaml").read_text())
    asked = said["hydra"]["launcher"]["resources"]["kinds"].values()
    limits = pods(KUBERAY["spec"]["rayClusterSpec"])[1]["containers"][0]["resources"]["limits"]
    assert max(one["cpus"] for one in asked) <= int(limits["cpu"])
    assert max(one.get("gpus", 0) for one in asked) <= int(limits["nvidia.com/gpu"])
    assert max(one["memory_gb"] for one in asked) < int(limits["memory"].removesuffix("Gi"))
