"""What stops a command or a search, as exceptions whose message is one line for people."""


class UserError(Exception):
    """The user's input is wrong. The message is one line: what is wrong and what would be right."""


class RuntimeNotStarted(UserError):
    """No worker can be started now; the config is not at fault. The message is one line: what to do."""


class Halted(Exception):
    """The search had to stop before its end. What it had recorded stands. The message is one line: why."""


class Replaced(Halted):
    """Another driver goes on with the search."""


class TargetUnavailable(Exception):
    """A target cannot be reached for now. No candidate is to blame. The message is one line: which, and why."""


class UnlikeDevice(TargetUnavailable):
    """A measuring server has another kind of device than the run has measured on.

    Args:
        why: one line for people.
        url: of the server.
    """

    def __init__(self, why: str, url: str) -> None:
        super().__init__(why)
        self.url = url
