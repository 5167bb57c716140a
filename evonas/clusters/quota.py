"""What an account may have of something, against what a launch file asks for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    """One limit of an account.

    Args:
        name: what is limited, in the cloud's words.
        wanted: how much the file asks for at most.
        least: below this not even one machine of a kind that is needed comes.
        granted: how much the account may have; None where the cloud did not say.
        remedy: how to ask for more.
    """

    name: str
    wanted: float
    least: float
    granted: float | None
    remedy: str

    @property
    def is_too_small(self) -> bool:
        """Whether not even one machine of such a kind would ever come; not where the cloud did not say."""
        return self.granted is not None and self.granted < self.least

    def line(self) -> str:
        """One line for people: a check mark, a dot where it is too small for all machines, a cross where for any."""
        if self.granted is None:
            return f"· {self.name}: not known; {self.wanted:g} are wanted"
        text = f"{self.name}: {self.granted:g}, and {self.wanted:g} are wanted"
        if self.granted >= self.wanted:
            return f"✓ {text}"
        return f"{'✗' if self.is_too_small else '·'} {text}; {self.remedy}"
