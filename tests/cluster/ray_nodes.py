"""A Ray cluster of several nodes on this machine, for tests: each node has a raylet and processes of its own.

python tests/cluster/ray_nodes.py 3            # prints the address; then reads lines: `kill` ends the last node, `end` all
"""

from __future__ import annotations

import sys


def main(count: int) -> None:
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes = [cluster.add_node(num_cpus=1) for _ in range(count - 1)]
    cluster.wait_for_nodes()
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            print("killed", flush=True)
        else:
            break
    cluster.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
