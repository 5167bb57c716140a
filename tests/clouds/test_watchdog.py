"""The watchdog that comes with a machine's boot, with stand-ins for the machine: an hour of it takes a moment."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.test_cluster_files import WATCHDOG

STAND_INS = {
    "shutdown": 'echo "shutdown $*" >> "$TOLD"',
    "systemctl": 'echo "$* $(wc -l < "$MINUTES")" >> "$TOLD"',
    "systemd-run": 'shift; "$@"',
    # A minute that is over at once; the machine is gone after 60 of them.
    "sleep": 'echo "$1" >> "$MINUTES"; [ "$(wc -l < "$MINUTES")" -le 60 ]',
    # Whether there is a raylet in this minute.
    "pgrep": 'test "$*" = "-x raylet" && now=$(wc -l < "$MINUTES") && [ "$now" -ge "$FROM" ] && [ "$now" -lt "$TO" ]',
}


@pytest.mark.parametrize(
    ("first", "last", "off"),
    [
        (100, 100, 45),  # the setup failed, or the head was gone by then
        (40, 1000, None),  # a slow start, and then a search
        (10, 20, 34),  # Ray's last minute is 19
    ],
)
def test_a_machine_without_ray_turns_itself_off(tmp_path: Path, first: int, last: int, off: int | None) -> None:
    for name, body in STAND_INS.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    told, script = tmp_path / "told", tmp_path / "boot"
    script.write_text(WATCHDOG)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "TOLD": str(told),
        "MINUTES": str(tmp_path / "minutes"),
        "FROM": str(first),
        "TO": str(last),
    }
    subprocess.run(["bash", str(script)], env=environment, check=False)
    limit, *offs = told.read_text().splitlines()
    assert limit == "shutdown --poweroff +2880"
    assert set((tmp_path / "minutes").read_text().split()) == {"60"}
    if off is None:
        assert offs == []
    else:
        # It is said again every minute, should the first one have come to nothing.
        assert offs == [f"poweroff {minute}" for minute in range(off, 61)]
