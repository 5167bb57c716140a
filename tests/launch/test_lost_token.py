"""A token that was lost, and another in its place: the cluster stays its user's to take down, and no other's."""

import io
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from evonas.cli import main
from evonas.launch import programs
from evonas.launch.kubernetes.pod_objects import LABEL
from evonas.launch.tokens import token, token_file
from tests.launch.stand_ins import user  # noqa: F401 - a fixture
from tests.launch.ups import FILES, Ups, on  # noqa: F401 - a fixture

LATER, EARLIER = "2099-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


def _lose(new: bool) -> None:
    """All that is in the home: the token, and on Google the key of the machines."""
    shutil.rmtree(token_file().parents[1])
    if new:
        token()


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("cloud", list(FILES))
def test_a_cluster_whose_token_and_state_are_lost_is_this_users_to_take_down(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    new: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    assert ups.up() == 0
    _lose(new)
    (ups.folder / "state.json").unlink()
    there = ups.machines()
    assert there
    assert ups.line("status") == 0
    assert "to take it down: evonas cluster down" in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert ups.line("down") == 0
    assert "nothing was taken down" in capsys.readouterr().out
    assert ups.machines() == there
    assert ups.line("down", "--yes") == 0
    assert ups.machines() == []


@pytest.mark.parametrize("cloud", ["gcp", "kubernetes"])
def test_a_colleagues_cluster_stays_where_a_launch_file_names_another_key(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the place in which this user's was that is down."""
    ups = on(cloud)
    assert ups.up() == 0
    mine = {path: path.read_text() for path in ups.folder.glob("*.yaml")}
    assert ups.line("down", "--yes") == 0
    shutil.rmtree(ups.folder)
    _lose(new=False)
    assert ups.up() == 0  # the colleague's
    shutil.rmtree(ups.folder)
    _lose(new=True)
    ups.folder.mkdir()
    for path, text in mine.items():
        path.write_text(text)
    there = ups.machines()
    capsys.readouterr()
    assert ups.line("down", "--yes") == 2
    assert " --anyway takes it down" in capsys.readouterr().err
    assert ups.line("status") == 0
    assert "somebody else's: neither " in capsys.readouterr().out
    assert ups.machines() == there


@pytest.mark.parametrize("how", ["lost", "new"])
@pytest.mark.parametrize("lost_state", [False, True])
@pytest.mark.parametrize("cloud", list(FILES))
def test_up_says_that_the_head_has_another_token_before_anything_is_started(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    lost_state: bool,
    how: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    assert ups.up("c.yaml", "--bucket", "mine") == 0
    shutil.rmtree(token_file().parent)
    if how == "new":
        token()
    if lost_state:
        (ups.folder / "state.json").unlink()
    before, files = ups.started, {path: path.read_text() for path in ups.folder.glob("*.yaml")}
    capsys.readouterr()
    assert ups.up("c.yaml") == 2
    out, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert f"take it down first (evonas cluster down {cloud}), and the same line starts it anew" in err
    assert "what it costs" not in out
    assert (ups.started, len(ups.runs)) == (before, 1)
    assert {path: path.read_text() for path in ups.folder.glob("*.yaml")} == files
    assert ups.line("down", "--yes") == 0
    assert ups.up("c.yaml") == 0  # as it said
    assert ups.runs == [ups.runs[0]] * 2


@pytest.mark.parametrize("of", ["made by hand", "of a colleague's cluster that is down"])
def test_a_secret_with_another_token_and_no_cluster_may_be_somebody_elses(
    of: str,
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups, other = on("kubernetes"), Path("other")
    other.write_text("another")
    line = ["--context=ctx", "--namespace=a", "create", "secret", "generic", "evonas-auth"]
    programs.run("kubectl", *line, f"--from-file=auth_token={other}")
    if of != "made by hand":
        programs.run("kubectl", *line[:2], "label", "secret/evonas-auth", LABEL)
    assert ups.up() == 2
    said = capsys.readouterr().err
    assert f"secret/evonas-auth in namespace a of ctx has another token than {token_file()}, and may be some" in said
    assert ("lost or made anew" in said, said.count("\n")) == (False, 1)
    way = said.partition("if it is yours, put its token there, or take it down first (")[2].partition(")")[0]
    if of == "made by hand":
        programs.run(*shlex.split(way))
    else:
        assert main([*shlex.split(way)[1:], "--yes"]) == 0
    assert ups.up() == 0


def test_a_secret_that_stays_of_this_folders_cluster_is_its_users(
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("kubernetes")
    assert ups.up() == 0
    programs.run("kubectl", "--context=ctx", "--namespace=a", "delete", "raycluster/evonas")
    _lose(new=True)
    assert ups.up() == 2
    said = "lost or made anew since, and would take no search from here; nothing was started: put the old one back"
    assert said in capsys.readouterr().err
    assert ups.line("down", "--yes") == 0
    assert ups.up() == 0


def test_a_lost_folder_and_a_new_token_leave_it_open_whose_an_older_cluster_is(
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("kubernetes")
    assert ups.up() == 0
    shutil.rmtree(ups.folder)
    _lose(new=True)
    ups.namespaces.set("b")
    ups.namespaces.made_at(LATER)  # than the token, with which this user would have made it
    assert ups.line("down", "--yes") == 0
    ups.namespaces.made_at(EARLIER)
    there = ups.machines()
    capsys.readouterr()
    assert ups.line("down", "--yes") == 1
    out = capsys.readouterr().out
    assert ups.machines() == there
    line = next(line for line in out.splitlines() if "if it is yours" in line).partition("goes by evonas ")[2]
    assert main(shlex.split(f"{line} --yes")) == 0
    assert ups.machines() == []


@pytest.mark.parametrize("cloud", list(FILES))
def test_the_line_that_takes_anothers_down_is_whole(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on(cloud)
    place = {"aws": ["--region", "us-west-2"], "gcp": ["--project", "my-project"], "kubernetes": ["--namespace", "a"]}
    assert ups.up() == 0
    shutil.rmtree(ups.folder)
    _lose(new=True)
    (Path.home() / ".ssh/evonas.pem").unlink(missing_ok=True)
    there = ups.machines()
    assert ups.line("down", "--yes", *place[cloud]) == 2
    said = capsys.readouterr().err
    assert ups.machines() == there
    line = said.partition("if you did, evonas ")[2].partition(" takes it down")[0]
    assert line == f"cluster down {cloud} {' '.join(place[cloud])} --anyway"
    main(shlex.split(f"{line} --yes"))
    assert ups.machines() == []


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("cloud", list(FILES))
def test_up_beside_a_colleagues_head_speaks_neither_of_tokens_nor_of_costs(
    on: Callable[[str], Ups],  # noqa: F811
    cloud: str,
    new: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A user who has not begun has no token, and one who has has another; neither is to end that cluster."""
    ups = on(cloud)
    bucket = ["--bucket", "theirs"]
    assert ups.up("c.yaml", *bucket) == 0
    shutil.rmtree(ups.folder)
    _lose(new)
    (Path.home() / ".ssh/evonas.pem").unlink(missing_ok=True)
    there = ups.machines()
    capsys.readouterr()
    assert ups.up("c.yaml", *bucket) == 2
    out, err = capsys.readouterr()
    assert (
        f" is of a cluster that neither {ups.folder.name} nor a key of this machine has started: go on from its" in err
    )
    assert "token" not in err
    assert "down" not in err
    assert "what it costs" not in out
    assert ups.machines() == there
    assert not ups.folder.exists()


def test_a_dry_run_beside_a_colleagues_head_calls_its_role_nobodys_no_more(
    on: Callable[[str], Ups],  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    ups = on("gcp")
    assert ups.up() == 0
    shutil.rmtree(ups.folder)
    _lose(new=True)
    capsys.readouterr()
    assert ups.line("down", "--dry-run") == 2
    out = capsys.readouterr().out
    assert "would stay: account evonas-head\n" in out
    assert "would stay: role evonasHead, which account evonas-head has while it is there, and " in out
