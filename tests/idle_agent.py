"""Stands in for an agent of Ray's next to a raylet: it says, as Ray's own does where it serves nothing, that none of
its ports is in use, and sleeps until the raylet ends. Without a site or an import of Ray, whose agents take a second
of a processor each to start.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

PORTS = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
NOT_IN_USE = "-1"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--session-dir", type=Path)
    parser.add_argument("--node-id")
    given, _ = parser.parse_known_args()
    for port in PORTS:
        path = given.session_dir / f"{port}_{given.node_id}"
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(NOT_IN_USE)
        new.rename(path)
    signal.pause()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from evonas.ipc.lifetime import die_with_parent

    die_with_parent(os.getppid())
    main()
