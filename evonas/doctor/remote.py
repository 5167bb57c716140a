"""The same examination by a job on a cluster of which only the dashboard can be reached, as through a tunnel."""

import hashlib
import shlex
import uuid
from collections.abc import Sequence
from types import ModuleType

from evonas.doctor.context import Finding
from evonas.doctor.screen import report
from evonas.errors import UserError
from evonas.submit.access import NOTHING, Access
from evonas.submit.ray_jobs import connect
from evonas.submit.staging import Submission, own_code, stage
from evonas.submit.submission import watch

ANYWHERE = "/tmp"
"""A folder that a submission may name; the job has none."""


def examine_there(
    config: str | None,
    address: str,
    run: str | None = None,
    overrides: Sequence[str] = (),
    modules: Sequence[ModuleType] = (),
    form: str = "table",
    access: Access = NOTHING,
) -> int:
    """Print what a job finds there; its exit status, 1 where there is a cross. address: http://HOST:8265. form: table,
    csv or json. access: what a proxy before the cluster asks for.

    Raises:
        UserError: the config or the address is wrong, or the cluster does not take jobs from us.
        ConnectionError: the cluster fails at it.
    """
    if config and not run:
        raise UserError("--run: give the folder or bucket that `evonas submit` will be given, to have it examined too")
    sent = stage(config, run or ANYWHERE, overrides, modules) if config else _code_alone()
    jobs = connect(address, access)
    if not jobs.has_token and not jobs.is_guarded and not jobs.address.is_loopback:
        text = f"{jobs.address} runs whatever anybody sends who reaches it; no job was sent"
        open_to_all = Finding("authentication", "error", text, "start its head with RAY_AUTH_MODE=token")
        return report(iter([open_to_all]), form)
    package = f"_ray_pkg_{sent.content[:32]}.zip"
    jobs.upload(package, sent.packed())
    name = f"evonas-doctor-{uuid.uuid4().hex[:12]}"
    jobs.submit(name, _entrypoint(config, run, sent, form), package, {"run": run or ""})
    try:
        return watch(jobs, name, lambda text: print(text, end="", flush=True)).exit_status
    except KeyboardInterrupt:
        jobs.stop(name)
        raise


def _code_alone() -> Submission:
    files = own_code()
    digest = hashlib.sha256(b"".join(files.values())).hexdigest()
    return Submission("doctor", digest[:12], ANYWHERE, files, (), "", ())


def _entrypoint(config: str | None, run: str | None, sent: Submission, form: str) -> str:
    words = ["python", "-m", "evonas", "doctor", "--address", "auto", "--format", form]
    words += ["config.yaml"] if config else []
    words += ["--run", run] if run else []
    words += [word for module in sent.modules for word in ("--import", module)]
    return f"PYTHONIOENCODING=utf-8 {shlex.join(words)}"
