"""A Ray cluster of several nodes on this machine, for tests: each node has a raylet and processes of its own.

python tests/cluster/ray_nodes.py 3            # the address; then takes lines: `kill` ends the last node, `end` all
python tests/cluster/ray_nodes.py 1 --head '{"num_cpus": 0}'       # `add {"num_cpus": 2}` puts one up, with what Ray takes
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import sys
from typing import Any


def main(count: int, head: dict[str, Any]) -> None:
    from ray.cluster_utils import Cluster

    psutil = importlib.import_module("psutil")  # which Ray brings along: it is found once Ray is imported
    left: list[Any] = []
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **head})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(count - 1)]
    cluster.wait_for_nodes()
    print(cluster.address, flush=True)
    for line in sys.stdin:
        word, _, said = line.strip().partition(" ")
        if word == "kill":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            print("killed", flush=True)
        elif word == "kill-head":
            left = psutil.Process().children(recursive=True)  # agents of nodes stay where no head tells them to go
            cluster.head_node.kill_gcs_server(check_alive=False)
            print("killed", flush=True)
        elif word == "add":
            nodes.append(cluster.add_node(**json.loads(said)))
            cluster.wait_for_nodes()
            print("added", flush=True)
        else:
            break
    cluster.shutdown()
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("--head", type=json.loads, default={})
    options = parser.parse_args()
    main(options.count, options.head)
