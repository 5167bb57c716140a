"""What a project of Google Cloud needs before `ray up`, by gcloud, as `cluster/README.md` has it."""

import re
import shlex
from pathlib import Path

from evonas.clusters.google.clients import is_off
from evonas.errors import UserError
from evonas.launch import programs
from evonas.launch.costs.traffic import traffic_note

NETWORK = "evonas"
RANGE = "10.7.0.0/20"
_FAMILY = re.compile(r"common-cu\d+-ubuntu-2204\S*-nvidia-(\d+)")
_ABSENT = re.compile(r"not[ _]found|\b404\b", re.I)
_DRIVER = 580
"""The oldest that runs CUDA 13."""
SERVICES = ("compute", "iam", "cloudresourcemanager")


def project_of_gcloud() -> str | None:
    """The project that gcloud means, None if it means none."""
    if not programs.find("gcloud"):
        return None
    code, said = programs.ask("gcloud", "config", "get-value", "project")
    return said if not code and said and said != "(unset)" else None


def family(project: str) -> str:
    """The newest family of machine images with Docker, Ubuntu 22.04 and a driver for CUDA 13.

    Raises:
        UserError: There is none, or gcloud does not say.
    """
    found = programs.answer(
        *_line(project, "compute images list", "--project=deeplearning-platform-release"),
        "--filter=family~common-cu.*ubuntu",
        "--format=value(family)",
    ).split()
    fit = [(int(match[1]), name) for name in found if (match := _FAMILY.fullmatch(name)) and int(match[1]) >= _DRIVER]
    if not fit:
        raise UserError(f"Google has no machine image with a driver of {_DRIVER} or newer: --family takes one")
    return max(fit)[1]


def admitted(project: str) -> list[str]:
    """The addresses from which SSH gets in; none where there is no rule yet.

    Raises:
        UserError: gcloud does not say.
    """
    said = _described(project, "compute firewall-rules describe evonas-ssh", "--format=value(sourceRanges.list())")
    return [part for part in re.split(r"[,;\s]+", said or "") if part]


def traffic(project: str, bucket: str, region: str) -> list[str]:
    """A line where a bucket is in another region than the machines; none where it is not there yet."""
    code, said = programs.ask(*_line(project, f"storage buckets describe gs://{bucket}"), "--format=value(location)")
    return [] if code else traffic_note(bucket, said, region)


def others(project: str, address: str) -> list[str]:
    """A line for each other address from which SSH gets in."""
    return [f"rule evonas-ssh, which lets {other} in," for other in admitted(project) if other != address]


def has_bucket(project: str, bucket: str, is_named: bool) -> bool:
    """Whether a bucket is there for the run folders.

    A name can be taken by anybody, and a run folder in somebody else's bucket would be read and changed by them.

    Args:
        project: its id.
        bucket: its name.
        is_named: the user has chosen it, also where it is another project's.

    Raises:
        UserError: It is, and nobody has chosen it, or gcloud does not say whose it is.
    """
    number = "--format=value(projectNumber)"
    code, owner = programs.ask(*_line(project, f"storage buckets describe gs://{bucket}"), "--raw", number)
    if code or is_named:
        return not code
    code, own = programs.ask(*_line(project, f"projects describe {project}"), number)
    if code or owner != own:
        raise UserError(
            f"bucket {bucket} is of project number {owner}, and {project} is {own}: its owner would read and change "
            f"what is recorded; --bucket takes another, or this one all the same"
        )
    return True


def store(project: str, region: str, bucket: str, is_there: bool) -> None:
    """Switches the services on, and makes the bucket where it is not there.

    Args:
        project: its id.
        region: of the bucket.
        bucket: its name.
        is_there: as `has_bucket` says.
    """
    programs.run(*_line(project, "services enable", *(f"{name}.googleapis.com" for name in SERVICES)))
    if not is_there:
        programs.run(*_line(project, f"storage buckets create gs://{bucket}", f"--location={region}"))


def lacking(project: str, region: str, address: str, role: Path) -> list[list[str]]:
    """The lines that make what is not there of network, doors, role and account.

    Args:
        project: its id.
        region: of the network.
        address: from where SSH is let in: `203.0.113.7/32`.
        role: `gcp-role.yaml`.

    Raises:
        UserError: gcloud does not say of one whether it is there.
    """
    things = _things(region, address, role, _account(project))
    return [_line(project, *create) for describe, create in things if _described(project, *describe) is None]


def make(project: str, lines: list[list[str]], bucket: str, address: str, before: str | None = None) -> None:
    """Makes what is not there, lets SSH in, and the account into the bucket.

    Args:
        project: its id.
        lines: of `lacking`.
        bucket: its name.
        address: from where SSH is let in: `203.0.113.7/32`.
        before: from where it was let in before, and is not any more.
    """
    account = _account(project)
    for line in lines:
        programs.run(*line)
    ranges = ",".join([*(other for other in admitted(project) if other not in (before, address)), address])
    programs.run(*_line(project, "compute firewall-rules update evonas-ssh", f"--source-ranges={ranges}"))
    programs.run(*_line(project, f"projects add-iam-policy-binding {project}", *_binding(project, account)))
    programs.run(
        *_line(project, f"storage buckets add-iam-policy-binding gs://{bucket}"),
        f"--member=serviceAccount:{account}",
        "--role=roles/storage.objectAdmin",
    )


def unmake(project: str) -> None:
    """Takes the head's account away, with what it may do. The role stays: its name would be nobody's for weeks.

    Raises:
        UserError: What it may do stays, and so does the account, by which that is found again.
        Halted: The account stays.
    """
    if has_account(project):
        account = _account(project)
        line = _line(project, f"projects remove-iam-policy-binding {project}", *_binding(project, account))
        code, said = programs.ask(*line)
        if code and "condition not found" not in said:  # an `up` that was ended early has not let it in yet
            raise UserError(f"{shlex.join(line)}: {said}")
        programs.run(*_line(project, f"iam service-accounts delete {account}", "--quiet"))


def has_account(project: str) -> bool:
    """Whether the head's account is there; it is not where the service for it is off.

    Raises:
        UserError: gcloud does not say.
    """
    words = ("iam service-accounts list", f"--filter=email:{_account(project)}", "--format=value(email)")
    return _account(project) in (_described(project, *words) or "").split()


def _described(project: str, *words: str) -> str | None:
    """What gcloud says of a thing; None where it is not there, nor the service that would have it.

    Raises:
        UserError: gcloud says neither.
    """
    line = _line(project, *words)
    code, said, errors = programs.unseen(*line)
    if code and not _ABSENT.search(why := " ".join(errors)) and not is_off(why):
        raise UserError(f"{shlex.join(line)}: {(errors or ['nothing was said'])[-1]}")
    return None if code else said


def _account(project: str) -> str:
    return f"evonas-head@{project}.iam.gserviceaccount.com"


def _things(region: str, address: str, role: Path, account: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """What has to be there: the words that look for it, and those that make it."""
    rule, subnet = "compute firewall-rules {} evonas-{}", f"compute networks subnets {{}} {NETWORK}"
    network = f"--network={NETWORK}"
    return [
        (
            (f"compute networks describe {NETWORK}",),
            (f"compute networks create {NETWORK}", "--subnet-mode=custom"),
        ),
        (
            (subnet.format("describe"), f"--region={region}"),
            (subnet.format("create"), network, f"--region={region}", f"--range={RANGE}"),
        ),
        (
            (rule.format("describe", "ssh"),),
            (rule.format("create", "ssh"), network, "--allow=tcp:22", f"--source-ranges={address}"),
        ),
        (
            (rule.format("describe", "inside"),),
            (rule.format("create", "inside"), network, "--allow=all", f"--source-ranges={RANGE}"),
        ),
        (("iam roles describe evonasHead",), ("iam roles create evonasHead", f"--file={role}")),
        ((f"iam service-accounts describe {account}",), ("iam service-accounts create evonas-head",)),
    ]


def _binding(project: str, account: str) -> tuple[str, ...]:
    return (f"--member=serviceAccount:{account}", f"--role=projects/{project}/roles/evonasHead", "--condition=None")


def _line(project: str, *words: str) -> list[str]:
    """A line of gcloud that means this project, whatever gcloud is set to."""
    plain = [part for word in words for part in (word.split(" ") if not word.startswith("--") else [word])]
    named = any(word.startswith("--project=") for word in plain)
    return ["gcloud", *plain, *([] if named else [f"--project={project}"])]
