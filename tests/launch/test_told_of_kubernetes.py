"""Lines of `evonas cluster` on Kubernetes that say what holds: whose bucket may be written, which name is kept."""

from pathlib import Path

import pytest

from evonas.cli import main
from tests.launch.namespaces import Namespaces, namespaces  # noqa: F401 - a fixture
from tests.launch.stand_ins import user  # noqa: F401 - a fixture

UP = ["cluster", "up", "kubernetes", "--image", "me/evonas:9", "--yes"]
STATUS = ["cluster", "status", "kubernetes"]


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize(
    ("words", "where"),
    [
        ([], "the run folders to come"),
        (["--bucket", "mine"], "gs://mine"),
        (["--bucket", "s3://mine/c"], "s3://mine/c"),
        (["--run", "s3://mine/r"], "s3://mine/r"),
    ],
)
def test_what_the_account_must_be_allowed_to_write_is_a_place_also_without_a_search(
    words: list[str], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*UP, *words]) == 0
    assert f"\nserviceaccount/evonas must be allowed to write {where}\n" in capsys.readouterr().out


def test_a_new_name_of_a_context_is_kept_by_up_and_down_as_the_help_says(
    namespaces: Namespaces,  # noqa: F811
    user: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["cluster", "--help"])
    assert "where it was renamed, `up` and `down` keep the new name" in " ".join(capsys.readouterr().out.split())
    (user / "server").write_text("https://one")
    assert main(UP) == 0
    namespaces.set("a", "new", "new")
    (user / "objects/ctx").rename(user / "objects/new")
    assert main([*STATUS, "--context", "new"]) == 0
    assert "evonas cluster down kubernetes --context new" in capsys.readouterr().out  # the line that keeps it
    assert main(STATUS) == 2
    assert main([*UP, "--context", "new"]) == 0
    assert main(STATUS) == 0
