"""Programs of clouds that record the words they are given, and answer as the real ones do."""

import sys
from pathlib import Path

import pytest

CONFIG = """
space: {kind: cell, stages: 1, channels: [4, 6]}
task: {kind: digits, valid_fraction: 0.3, test_fraction: 0.5}
objectives: [{metric: error}, {metric: params}]
strategy: {population: 4}
training: {epochs: 1}
budget: {evaluations: 8}
"""
BEGIN = """#!/bin/sh
name="${0##*/}"
{ printf '%s' "$name"; for word in "$@"; do printf ' %s' "$word"; done; echo; } >> "$TOLD"
case "$name $*" in
"""
FORWARD = """
import socket, sys, threading

def copy(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass

with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        here, _ = server.accept()
        there = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
        for pair in ((here, there), (there, here)):
            threading.Thread(target=copy, args=pair, daemon=True).start()
"""
"""As `kubectl port-forward` and `ray dashboard` do: port of this machine, port there."""


class Told:
    """What the stand-ins have been given."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "told"

    def lines(self, *parts: str) -> list[str]:
        """The lines with all of these in them."""
        text = self._file.read_text() if self._file.exists() else ""
        return [line for line in text.splitlines() if all(part in line for part in parts)]


def stand_in(folder: Path, patch: pytest.MonkeyPatch, **cases: str) -> Told:
    """Puts programs before all others in the PATH.

    Args:
        folder: of the test.
        patch: of the test.
        cases: program (`_` for `-`) -> lines of a shell's `case` over its name and words.
    """
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "forward.py").write_text(FORWARD)
    for name, body in cases.items():
        file = programs / name.replace("_", "-")
        file.write_text(f"{BEGIN}{body}\nesac\n")
        file.chmod(0o755)
    patch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    patch.setenv("TOLD", str(folder / "told"))
    patch.setenv("HERE", str(folder))
    patch.setenv("FORWARD", f"{sys.executable} {programs / 'forward.py'}")
    return Told(folder)


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder and home, without credentials of any cloud."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS")
    for name in (*names, "CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_AUTH_MODE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(home / name))
    return tmp_path
