"""What became of each column of a table: recorded with a run, and enough to encode other rows as those were."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, extra="ignore")


class Writing(Record):
    """How the texts of a column write numbers.

    Args:
        decimal: what stands before the places behind the point; the other one, a space or an apostrophe may stand
            between thousands.
        before: a currency in front of each number; "" for none.
        behind: a unit or a currency behind each; "" for none.
    """

    decimal: Literal[".", ","] = "."
    before: str = ""
    behind: str = ""


class NumberColumn(Record):
    """A feature of numbers.

    Args:
        column: of the table.
        part: the number itself (false 0, true 1), or the days of a date since 1970.
        middle: the median of the training rows, which fills gaps.
        scale: what a number's distance from it is multiplied by: 1 over the range between the quartiles.
        gaps: training rows lack it, and a feature of its own is 1 there.
    """

    column: str
    part: Literal["value", "days"] = "value"
    middle: float
    scale: Annotated[float, Field(ge=0)]
    gaps: bool = False

    @property
    def name(self) -> str:
        """Of the feature."""
        return self.column if self.part == "value" else f"{self.column}: {self.part}"


class CategoryColumn(Record):
    """A column of categories: 0 is any other value, such as one that training rows do not have.

    Args:
        column: of the table.
        part: the value itself as a text, or what of a date: month 1 to 12, weekday 1 (Monday) to 7, hour 0 to 23.
        values: those that have the numbers 1, 2, ... in this order.
        gaps: training rows lack it: a gap has the number behind the last; else it is 0.
    """

    column: str
    part: Literal["value", "month", "weekday", "hour"] = "value"
    values: tuple[str, ...]
    gaps: bool = False

    @property
    def name(self) -> str:
        """Of the feature."""
        return self.column if self.part == "value" else f"{self.column}: {self.part}"

    @property
    def size(self) -> int:
        """How many numbers a category can have, 0 included."""
        return 1 + len(self.values) + self.gaps


class TableRecord(Record):
    """The columns that networks take in, in their order.

    Args:
        numbers: the features of the input of numbers, as they are stored: NaN in a gap.
        categories: the columns of the input of categories.
        dates: column -> how its texts are read as dates; empty where they were dates by their type.
        written: column -> how its texts are read as numbers, where texts held numbers; numbers are taken as they are.
    """

    numbers: tuple[NumberColumn, ...] = ()
    categories: tuple[CategoryColumn, ...] = ()
    dates: dict[str, str] = {}
    written: dict[str, Writing] = {}
