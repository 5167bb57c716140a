"""What keeps strangers out of the Ray of a job, in a script that its user has changed by hand."""

import re

from evonas.errors import UserError

_COMMENT = re.compile(r"^\s*#.*", re.MULTILINE)
_MODE = re.compile(r"\bRAY_AUTH_MODE=[\"']?(\w*)")
_HOST = re.compile(r"--dashboard-host[= ]\s*[\"']?([^\s\"')]*)")
_LOOPBACK = re.compile(r"127(\.\d+){3}|localhost|::1")
_WITHOUT = re.compile(
    r"\bunset\b[^\n;&|]*\bRAY_AUTH_MODE\b|\benv (?:[^\n;&|]* )?(?:-i|-u ?RAY_AUTH_MODE|--ignore-environment|"
    r"--unset=RAY_AUTH_MODE)\b|\bsrun [^\n;&|]*--export[= ](?!ALL\b)\S*|"
    r"\bapptainer [^\n;&|]*\s(?:-e|-C|--cleanenv|--containall)\b"
)
"""What takes RAY_AUTH_MODE from the environment of Ray."""
_TOKEN = re.compile(r"\bRAY_AUTH_TOKEN=")


def check_guards(script: str, name: object) -> None:
    """Lets go on with a script whose Ray asks for the token of the job, and shows its dashboard to its own node alone.

    Args:
        script: of the job.
        name: of its file, for people.

    Raises:
        UserError: It does not.
    """
    code = _COMMENT.sub("", script).replace("\\\n", " ")
    if {*_MODE.findall(code)} != {"token"}:
        raise UserError(f"{name} lacks RAY_AUTH_MODE=token, and no other: whoever reaches it could run anything there")
    if found := _WITHOUT.search(code):
        raise UserError(
            f"{name}: {' '.join(found[0].split())}: Ray would not have RAY_AUTH_MODE=token, and whoever reaches it "
            f"could run anything there"
        )
    if _TOKEN.search(code):
        raise UserError(f"{name}: RAY_AUTH_TOKEN=: who can read the file has it; the script makes one for each job")
    if host := next((host for host in _HOST.findall(code) if not _LOOPBACK.fullmatch(host)), None):
        raise UserError(
            f"{name}: --dashboard-host={host}: others could reach the dashboard; --dashboard-host=127.0.0.1, as it came"
        )
