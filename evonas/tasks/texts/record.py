"""How texts became the numbers that networks take in: recorded with a run, and enough to do so with other texts."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class TextRecord(BaseModel):
    """Of a task whose examples are texts.

    Args:
        unit: what has a number.
        length: numbers of an example.
        filler: what a shorter text is filled up with.
        next: an output at each place is of the number behind it; else texts have classes.
        characters: those that have the numbers 1, 2, ... in this order; empty for another unit.
        tokenizer_sha256: of the file of the tokenizer, in UTF-8; empty for another unit.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    unit: Literal["characters", "bytes", "tokens"]
    length: Annotated[int, Field(ge=1)]
    filler: Annotated[int, Field(ge=0)] = 0
    next: bool = False
    characters: str = ""
    tokenizer_sha256: str = ""
