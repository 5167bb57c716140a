"""A temporary folder for this run of the tests alone, with Ray's files and the locks of devices in it: we do not wait
for others who test or measure on the machine, nor they for us."""

import os
import shutil
import tempfile

import pytest


def pytest_configure(config: pytest.Config) -> None:
    os.environ["TMPDIR"] = tempfile.mkdtemp(prefix="evo")  # short: names of sockets must fit into 107 bytes
    tempfile.tempdir = None


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
