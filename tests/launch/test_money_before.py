"""What is known of the money of a search before machines are paid for, from a run folder in a bucket (moto)."""

import json
import os
from collections.abc import Iterator
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from evonas.cli import main
from evonas.errors import UserError
from evonas.runs import going_on
from tests.launch.stand_ins import stand_in, user  # noqa: F401 - a fixture
from tests.launch.test_programs import KUBECTL
from tests.test_object_store import forget_stores, server  # noqa: F401 - a fixture

pytestmark = [
    pytest.mark.skipif(not (find_spec("s3fs") and find_spec("moto")), reason="needs s3fs and moto"),
    pytest.mark.usefixtures("server"),
]
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
LEFT = (
    "whether it holds another search and how much of the budget of $5 (budget.usd) is left is not known; where it does "
    "or that is used up, the search stops once machines are there and paid for"
)
OTHER = (
    "whether it holds another search is not known; where it does, the search stops once machines are there and paid for"
)


@pytest.fixture
def up(
    server: None,  # noqa: F811
    user: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator["Up"]:
    """A user with credentials of the store, who says no in the end."""
    stand_in(user, monkeypatch, kubectl=KUBECTL)
    for name in KEYS:
        monkeypatch.setenv(name, "test")
    forget_stores()
    yield Up(capsys, monkeypatch)
    forget_stores()


class Up:
    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys, self._patch = capsys, patch

    def said(self, run: str, *words: str) -> list[str]:
        """The lines of an `up` that names the run folder, before the costs."""
        self._patch.setattr("sys.stdin", StringIO("n\n"))
        prices = "runtime.prices={'*': 1}"
        line = ["cluster", "up", "kubernetes", "c.yaml", "--image=me/evonas:9", "--run", run, "--set", prices, *words]
        assert main(line) == 0
        before, _, costs = self._capsys.readouterr().out.partition("what it costs:")
        assert "nothing was started" in costs
        return [each for each in before.splitlines() if run in each]


@pytest.fixture
def refusing(server: None) -> Iterator[None]:  # noqa: F811
    """The store knows no key, as where the user may not read the bucket."""
    _asks_keys("0")
    yield
    _asks_keys("inf")


def _asks_keys(after: str) -> None:
    url = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
    assert json.load(urlopen(Request(url, after.encode(), {"Content-Type": "text/plain"})))["status"] == "ok"


@pytest.mark.usefixtures("refusing")
def test_a_bucket_that_may_not_be_read_is_said(up: Up) -> None:
    (line,) = up.said("s3://bucket/run", "--set=budget.usd=5")
    assert line.startswith("s3://bucket/run cannot be read from here (PermissionError: ")
    assert line.endswith(LEFT)
    (line,) = up.said("s3://bucket/run")
    assert line.endswith(OTHER)


def test_a_user_without_credentials_is_told_so(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.delenv(name)
    forget_stores()
    (line,) = up.said("s3://bucket/run", "--set=budget.usd=5")
    assert line.startswith("s3://bucket/run cannot be read from here (NoCredentialsError: Unable to locate credentials")


def test_a_store_that_does_not_answer_is_said(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    forget_stores()
    (line,) = up.said("s3://bucket/run", "--set=budget.usd=5")
    assert "127.0.0.1:1" in line
    assert LEFT in line


@pytest.mark.parametrize("run", ["s3://no-such-bucket/run", "s3://bucket/no-such-run"])
def test_a_bucket_or_run_that_is_yet_to_come_is_no_fault(up: Up, run: str) -> None:
    assert up.said(run, "--set=budget.usd=5") == []


def test_what_else_is_damaged_there_is_the_searchs_to_say(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(*_: object) -> float:
        raise UserError("s3://bucket/run: generation 3 is damaged")

    monkeypatch.setattr(going_on, "used_up", damaged)
    (line,) = up.said("s3://bucket/run", "--set=budget.usd=5")
    assert "(generation 3 is damaged): how much of the budget of $5 (budget.usd) is left is not known" in line
