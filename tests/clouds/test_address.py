"""From where SSH is let in."""

from pathlib import Path

import pytest

from evonas.clusters.address import one_address, own_address
from evonas.errors import UserError


def test_an_address_is_one_address(tmp_path: Path) -> None:
    (tmp_path / "said").write_text("198.51.100.7\n")
    assert own_address((tmp_path / "said").as_uri()) == "198.51.100.7/32"


@pytest.mark.parametrize("said", [None, "", "0.0.0.0/0", "<html>log in first</html>", "2001:db8::1"])
def test_what_is_no_address_opens_nothing(tmp_path: Path, said: str | None) -> None:
    if said is not None:
        (tmp_path / "said").write_text(said)
    with pytest.raises(UserError, match="give it: --address"):
        own_address((tmp_path / "said").as_uri())


def test_an_address_that_no_machine_is_seen_by_is_refused() -> None:
    for text in ("0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.1.1", "224.0.0.1", "255.255.255.255"):
        with pytest.raises(UserError, match=f"--address {text}: no machine is seen by that"):
            one_address(text)
    with pytest.raises(UserError, match=r"--address 10\.0\.0\.5: is of a private network"):
        one_address("10.0.0.5")
    assert one_address("203.0.113.7") == "203.0.113.7/32"
