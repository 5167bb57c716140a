"""A dashboard that is this machine's, and no tunnel's end."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from evonas.submit import this_machine

SERVE = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("name", "own"), [("ray/dashboard/dashboard.py", True), ("ssh", False)])
def test_a_ray_of_this_machine_is_told_from_a_tunnel(tmp_path: Path, name: str, own: bool) -> None:
    program = tmp_path / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(SERVE)
    with subprocess.Popen([sys.executable, str(program)], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        assert this_machine.is_own_ray(port) == own
        with socket.create_server(("127.0.0.1", 0)) as other:
            assert not this_machine.is_own_ray(other.getsockname()[1])
        process.communicate()
