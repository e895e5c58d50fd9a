"""A Ray cluster of simulated nodes on this machine. Its first node holds no trials: the test connects to it."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from myths.lab.trial import Context, Outcome, Trial

ROOT = Path(__file__).parents[1]
SETTINGS = {
    "health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 6, "worker_niceness": 0,
}  # fmt: skip
"""A lost node is noticed within seconds: Ray's defaults are meant for networks that may pause. Workers have the priority of the test."""


@dataclass(frozen=True, kw_only=True)
class Sleep(Trial):
    """A trial that needs no core."""

    seconds: float
    seed: int

    def run(self, context: Context) -> Outcome:
        time.sleep(self.seconds)
        return Outcome([{"seed": self.seed}])


class SimulatedCluster:
    """Nodes that can be added and killed."""

    def __init__(self) -> None:
        ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'seven-myths[ray]'")
        from ray.cluster_utils import Cluster

        ray._private.utils.set_sigterm_handler = lambda handler: None  # so that a thread can add a node
        os.environ.update(RAY_USAGE_STATS_ENABLED="0", PYTHONPATH=str(ROOT))
        os.environ.pop("RAY_ADDRESS", None)
        self._starter = ThreadPoolExecutor(1)  # the processes of a node end with the thread that started them
        head = {"num_cpus": 0, "include_dashboard": False, "include_log_monitor": False, "_system_config": SETTINGS}
        self._cluster = self._starter.submit(Cluster, initialize_head=True, head_node_args=head).result()
        self.address = self._cluster.address

    def add(self, cpus: int = 1, data: Path | None = None, **more: Any) -> Any:
        """Add a node. ``data`` is the folder of its datasets."""
        before = os.environ.get("MYTHS_DATA")
        if data is not None:
            os.environ["MYTHS_DATA"] = str(data)
        try:
            node = self._starter.submit(self._cluster.add_node, wait=False, num_cpus=cpus, **more).result()
            self._cluster._wait_for_node(node, timeout=240)  # Ray's helper waits 30 s, too little for a busy machine
            return node
        finally:
            if data is not None:
                os.environ.pop("MYTHS_DATA") if before is None else os.environ.update(MYTHS_DATA=before)

    def kill(self, node: Any) -> None:
        """End all processes of a node at once, as a power failure does, and wait until Ray has noticed it."""
        self._cluster.remove_node(node, allow_graceful=False)
        self._cluster.wait_for_nodes(timeout=120)

    def close(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()
