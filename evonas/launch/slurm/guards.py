"""What keeps strangers out of the Ray of a job, in a script that its user has changed by hand."""

import re

from evonas.errors import UserError
from evonas.launch.launch_files.token_mode import code, refuse, taken

_MODE = re.compile(r"\bRAY_AUTH_MODE=[\"']?(\w*)")
_HOST = re.compile(r"--dashboard-host[= ]\s*[\"']?([^\s\"')]*)")
_LOOPBACK = re.compile(r"127(\.\d+){3}|localhost|::1")
_WITHOUT = re.compile(
    r"\bsrun [^\n;&|]*--export[= ](?!ALL\b)\S*|\bapptainer [^\n;&|]*\s(?:-e|-C|--cleanenv|--containall)\b"
)
"""Steps and images that do not get RAY_AUTH_MODE."""
_TOKEN = re.compile(r"\bRAY_AUTH_TOKEN=")


def check_guards(script: str, name: object) -> None:
    """Lets go on with a script whose Ray asks for the token of the job, and shows its dashboard to its own node alone.

    Args:
        script: of the job.
        name: of its file, for people.

    Raises:
        UserError: It does not.
    """
    lines = code(script)
    if {*_MODE.findall(lines)} != {"token"}:
        raise UserError(f"{name} lacks RAY_AUTH_MODE=token, and no other: whoever reaches it could run anything there")
    steps = _WITHOUT.search(lines)
    refuse(taken(lines) or (steps[0] if steps else ""), name)
    if _TOKEN.search(lines):
        raise UserError(f"{name}: RAY_AUTH_TOKEN=: who can read the file has it; the script makes one for each job")
    if host := next((host for host in _HOST.findall(lines) if not _LOOPBACK.fullmatch(host)), None):
        raise UserError(
            f"{name}: --dashboard-host={host}: others could reach the dashboard; --dashboard-host=127.0.0.1, as it came"
        )
