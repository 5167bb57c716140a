"""What `up` asks of Google, and what this machine has to have for it."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from evonas.clusters.google.keys import public_keys
from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.launch_files.head_file import head_file
from evonas.launch.order import Order
from evonas.launch.ray_launcher import gcloud
from evonas.launch.tokens import token_file


def key_file() -> Path:
    """Where the private half of the key of this user's machines is."""
    return token_file().parents[1] / "ssh_key"


def own_keys(copy: Path) -> set[str]:
    """The public keys by which this user's machines are known: that of this machine, and those of the launch files.

    Args:
        copy: the launch file that is edited.
    """
    files = (key_file().with_suffix(".pub"), copy, head_file(copy))
    return {key for path in files if path.exists() for key in public_keys(path.read_text(errors="replace"))}


def key() -> str:
    """The public half, of a key that is made if there is none.

    Raises:
        UserError: The private half is no key, or none that opens without a passphrase.
    """
    path = key_file()
    if not path.exists():
        path.with_suffix(".pub").unlink(missing_ok=True)  # of a private half that is lost
        programs.answer("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "evonas", "-f", str(path))
    public = _public(path)
    path.with_suffix(".pub").write_text(f"{public}\n")
    return public


def check_key(known: set[str], auth: Mapping[str, str], way: str) -> None:
    """Lets go on where the key of this machine opens a head that runs.

    Args:
        known: the public keys that its machines let in.
        auth: of the head's launch file, whose user may have named a key of their own.
        way: the line by which the head goes.

    Raises:
        UserError: It does not, or there is none any more.
    """
    path = key_file()
    if not known or Path(auth.get("ssh_private_key", "")).expanduser() != path:
        return
    if not path.exists() or known.isdisjoint(public_keys(_public(path))):
        raise UserError(
            f"the head that runs has another key than {path}, which was lost or made anew since, and lets nobody in "
            f"from here; nothing was started: put the old one back there, or take it down first ({way}), and the same "
            f"line starts it anew"
        )


def _public(path: Path) -> str:
    """What opens to a private half: its own word, for the file beside it may be lost or half written."""
    return programs.answer("ssh-keygen", "-y", "-P", "", "-f", str(path))


def credentials() -> list[str]:
    """A line where Google's libraries would find no credentials, without the network."""
    folder = Path(os.environ.get("CLOUDSDK_CONFIG") or Path.home() / ".config" / "gcloud")
    named = os.environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    path = Path(named) if named else folder / "application_default_credentials.json"
    remedy = "it is no file" if named else "gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS"
    return [] if path.is_file() else [f"credentials of Google Cloud: {path}: {remedy}"]


def asks(order: Order, project: str, bucket: str, copy: Path) -> list[str]:
    """What `prepare` and `start` ask of Google, a line each."""
    address = order.address or "this machine as it is seen"
    return [
        f"gcloud services enable: {', '.join(gcloud.SERVICES)} in project {project}",
        f"gcloud storage: bucket {bucket}: is it there, else it is made",
        f"gcloud compute: network and subnetwork evonas; SSH from {address}, all between machines",
        f"gcloud iam: role evonasHead, which may do what {order.folder}/gcp-role.yaml says, and account evonas-head",
        *([] if order.value("family") else ["gcloud compute: the newest machine image with NVIDIA's driver"]),
        "Compute Engine: quotas of GPUs and disks",
        f"Compute Engine, by `ray up -y {shlex.quote(str(copy))}`: the head and what is there from the start",
        "Compute Engine, by the head: spot machines while the search asks for them",
    ]
