"""`evonas cluster up | down | status CLOUD [CONFIG]`."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evonas.commands.arguments import add_import, add_set, imported
from evonas.errors import UserError
from evonas.signals import sigterm_raises

if TYPE_CHECKING:
    from evonas.launch.order import Order
    from evonas.launch.provider import Provider
    from evonas.launch.state import State

CLOUDS = ("aws", "gcp", "kubernetes", "slurm")
REMEMBERED = (
    *("image", "bucket", "region", "zone", "project", "family", "ami", "platform", "context", "namespace", "run"),
)
"""Options that later lines need not say again: the run folder those of the same CONFIG, the others all."""
OF = {
    "image": ("aws", "gcp", "kubernetes"),
    "bucket": ("aws", "gcp", "kubernetes"),
    "region": ("aws", "gcp"),
    "address": ("aws", "gcp"),
    "zone": ("gcp",),
    "project": ("gcp",),
    "family": ("gcp",),
    "platform": ("kubernetes",),
    "context": ("kubernetes",),
    "namespace": ("kubernetes",),
    "ami": ("aws",),
    "sbatch": ("slurm",),
}
"""Options that only some clouds have."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", choices=("up", "status", "down"), help="start and search; how it is; take it all down"
    )
    parser.add_argument("cloud", choices=CLOUDS, help="where")
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="YAML file of the search")
    parser.add_argument("--image", metavar="IMAGE", help="built of cluster/Dockerfile, in a registry (not Slurm)")
    parser.add_argument(
        "--bucket", metavar="NAME", help="of the run folders (default: found or made on AWS and Google)"
    )
    parser.add_argument(
        "--run", metavar="DIR", help="run folder (default: CONFIG's name in the bucket; Slurm: in runs/)"
    )
    parser.add_argument("--region", metavar="REGION", help="of the cloud (default: that of the launch file)")
    parser.add_argument("--zone", metavar="ZONE", help="of Google (default: the region's a)")
    parser.add_argument("--project", metavar="PROJECT", help="of Google (default: gcloud's)")
    parser.add_argument("--family", metavar="FAMILY", help="of Google's machine images (default: the newest that fits)")
    text = "whose Kubernetes (default: as its server says)"
    parser.add_argument("--platform", choices=("gke", "eks", "plain"), help=text)
    text = (
        "of kubectl, on Kubernetes (default: of the first line, and then that to which kubectl is set); where it was "
        "renamed, `up` and `down` keep the new name"
    )
    parser.add_argument("--context", metavar="CONTEXT", help=text)
    parser.add_argument("--namespace", metavar="NAMESPACE", help="of Kubernetes (default: as the context)")
    parser.add_argument("--ami", metavar="AMI", help="of AWS's machine images (default: the newest that fits)")
    parser.add_argument("--address", metavar="IP", help="from where SSH is let in (default: as this machine is seen)")
    parser.add_argument("--folder", metavar="DIR", help="where the files are written (default: cluster-CLOUD)")
    text = "an option of sbatch, e.g. --sbatch=--partition=gpu"
    parser.add_argument("--sbatch", action="append", default=[], metavar="OPTION", help=text)
    text = "up: print the files, the cost and what would be asked, without the network; down: what would go"
    parser.add_argument("--dry-run", action="store_true", help=text)
    parser.add_argument("--yes", action="store_true", help="do not ask whether it may cost this, or go")
    text = (
        "up: although the account may have too few machines, or a region of AWS does not say whether it needs the "
        "role; down: although others may have started it"
    )
    parser.add_argument("--anyway", action="store_true", help=text)
    parser.add_argument("--replace", action="store_true", help="write over a launch file that was changed by hand")
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.launch.down import down
    from evonas.launch.holding import held
    from evonas.launch.status import status
    from evonas.launch.up import dry_run, up

    _check_options(options)
    if options.action == "status":
        return status(*_asked(options))
    if options.dry_run:
        return dry_run(*_asked(options)) if options.action == "up" else down(*_asked(options), dry=True)
    with sigterm_raises(), held(_folder(options), options.action) as release:  # what is agreed to is what is there
        asked = _asked(options)
        return up(*asked, options.yes, begun_with=release) if options.action == "up" else down(*asked, options.yes)


def _asked(options: argparse.Namespace) -> "tuple[Order, Provider]":
    from evonas.launch.providers import PROVIDERS

    order = _order(options)
    return order, PROVIDERS[options.cloud](order)


def _folder(options: argparse.Namespace) -> Path:
    from evonas.launch.order import default_folder

    folder = Path(options.folder) if options.folder else default_folder(options.cloud)
    there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    if there.exists() and not there.is_dir():
        raise UserError(f"{there} is a file, and launch files and state are kept in a folder: --folder, another one")
    return folder


def _order(options: argparse.Namespace) -> "Order":
    from evonas.launch.launch_files.readable import check_readable
    from evonas.launch.order import Order
    from evonas.launch.settled import settled

    folder = _folder(options)
    if options.action == "up" and not options.replace:  # the others find what is there without a launch file
        check_readable(folder)
    state = _state(options, folder)
    given = {name: value for name in REMEMBERED if (value := getattr(options, name))}
    order = Order(
        options.cloud,
        options.line,
        folder,
        state,
        settled(options.cloud, given, state.given),
        options.config,
        tuple(options.overrides),
        tuple(imported(options.modules)),
        _address(options.address),
        tuple(options.sbatch),
        options.replace,
        options.anyway,
    )
    _ = order.config  # what is wrong with it is said before anything is asked of a cloud
    return order


def _state(options: argparse.Namespace, folder: Path) -> "State":
    """What is known, or where a state is damaged or lost what the launch file says; what is there a cloud knows."""
    from evonas.launch.recovered import recovered
    from evonas.launch.state import NAME, checked

    lost = recovered(options.cloud, folder)
    try:
        state = checked(folder)
    except UserError as error:
        if options.action == "up":
            raise
        aside = "`down` would put it aside" if options.dry_run else _put_aside(folder / NAME)
        print(f"note: {error}; {aside}, and what is there counts")
        return lost
    _check_cloud(options.cloud, state, folder / NAME)
    of_place = state if state.given else lost
    return replace(state, given=of_place.given, server=of_place.server, runs=state.runs or lost.runs)


def _put_aside(state: Path) -> str:
    damaged = state.with_name(f"{state.name}.damaged")
    state.replace(damaged)
    return f"it is {damaged} now"


def _check_cloud(cloud: str, state: "State", path: Path) -> None:
    """Raises UserError where the state is that of another cloud's cluster, which would be lost."""
    of = {name for name in state.given if cloud not in OF.get(name, CLOUDS)}
    others = state.cloud or ("slurm" if state.jobs else "")
    if of or (others and others != cloud):
        whose = others or " or ".join(OF[min(of)])
        raise UserError(f"{path} is of a cluster of {whose}, and not of {cloud}: --folder, another one")


def _check_options(options: argparse.Namespace) -> None:
    """Raises UserError for an option of another cloud, and for a value that cannot be one of this."""
    from evonas.clusters.forms import require_form

    for name in dict.fromkeys((*OF, *REMEMBERED, "folder", "config")):
        if (given := getattr(options, name)) == "" or given == [""]:
            said = "CONFIG" if name == "config" else f"--{name}"
            raise UserError(f"{said} is empty: give its value, or leave it out")
    for name, clouds in OF.items():
        if getattr(options, name, None) and options.cloud not in clouds:
            raise UserError(f"--{name} is of {' and '.join(clouds)}, and not of {options.cloud}")
    for name in REMEMBERED:
        if value := getattr(options, name):
            require_form(options.cloud, name, value, f"--{name}")


def _address(given: str | None) -> str | None:
    from evonas.clusters.address import one_address

    return one_address(given) if given else None
