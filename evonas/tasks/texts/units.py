"""What a text is made of, as numbers: characters, bytes, or the tokens of a tokenizer file (`tokenizers`)."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evonas.did_you_mean import unknown
from evonas.errors import UserError
from evonas.installing import how_to_install
from evonas.paths import expanded
from evonas.tasks.task import Array
from evonas.tasks.texts.record import TextRecord
from evonas.tasks.texts.vocabulary import Tokens, code_points, counted, notes_on, read_text

TOKENIZER = ".json"
"""The suffix of a unit that is a file."""
FILLERS = ("[PAD]", "<pad>", "<|pad|>", "<|padding|>")
"""What tokenizers call a token that stands for nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """How texts become numbers.

    Args:
        noun: of its units: "characters".
        names: what each number stands for.
        widths: bytes of UTF-8 that each stands for.
        encoded: a text as `read` gives it -> (n,) whole numbers.
        filler: the number that a short text is filled up with.
        characters: those that have the numbers 1, 2, ... in this order; empty for another unit.
        tokenizer: the text of its file; empty for another unit.
    """

    noun: str
    names: tuple[str, ...]
    widths: tuple[float, ...]
    encoded: Callable[[str], Array]
    filler: int = 0
    characters: str = ""
    tokenizer: str = ""

    def prepare(self, length: int, *, next: bool = False) -> Tokens:
        """What widens the numbers of texts, and knows how they came about.

        Args:
            length: numbers of an example.
            next: outputs are of what stands behind each place.
        """
        sha256 = hashlib.sha256(self.tokenizer.encode()).hexdigest() if self.tokenizer else ""
        record = TextRecord(
            unit=self.noun,  # type: ignore[arg-type]  # checked by pydantic
            length=length,
            filler=self.filler,
            next=next,
            characters=self.characters,
            tokenizer_sha256=sha256,
        )
        return Tokens(record, self.tokenizer)

    @property
    def size(self) -> int:
        """Numbers lie below it."""
        return len(self.names)


def read(file: Path, unit: str) -> str:
    """The text of a file; of bytes, a character for each, whatever they mean.

    Raises:
        UserError: there is no such file, it cannot be read, or it is not UTF-8.
    """
    if unit != "bytes":
        return read_text(file)
    try:
        return file.read_bytes().decode("latin-1")
    except OSError as error:
        raise UserError(f"task.path: {file.absolute()}: {error.strerror}") from None


def as_read(text: str, unit: str) -> str:
    """A text that comes from elsewhere as `read` would have it."""
    return text.encode().decode("latin-1") if unit == "bytes" else text


def coding(unit: str, training: Sequence[str], most_characters: int) -> Coding:
    """How texts become numbers.

    Args:
        unit: `characters`, `bytes`, or the path of a tokenizer file.
        training: the texts of the training part.
        most_characters: of characters, how many have a number of their own.

    Raises:
        UserError: there is no such unit, the training texts are empty, the file is none of a tokenizer, or what reads
            it is not installed.
    """
    if not any(training):
        raise UserError("task.path: the training text is empty")
    if unit == "bytes":
        return _bytes()
    if unit == "characters":
        return _characters("".join(training), most_characters)
    if not unit.endswith(TOKENIZER):
        known = unknown(unit, ("characters", "bytes"))
        raise UserError(f"task.unit: {known}; or a file of a tokenizer, as tokenizer.json")
    return _tokens(expanded(unit, "task.unit"), training)


def notes(own: Coding, training: Sequence[str], numbers: Mapping[str, Array]) -> list[str]:
    """What people should know of a coding.

    Args:
        own: the coding.
        training: the texts that it is of.
        numbers: part -> all its numbers.
    """
    if own.noun == "characters":
        known = "".join(own.names[1:])
        return notes_on(counted(known, len(known)), dict(numbers), len(np.unique(code_points("".join(training)))))
    found = sum(map(len, numbers.values()))
    if own.noun == "bytes":
        return [f"{found:,} bytes, each of which is its own number"]
    return [f"{found:,} tokens, of a vocabulary of {own.size:,} that the tokenizer has"]


def _characters(training: str, most: int) -> Coding:
    """Any other character counts as one byte, so that nothing is gained by what a network need not tell."""
    vocabulary = counted(training, most)
    text = vocabulary.characters
    widths = (1.0, *(float(len(character.encode())) for character in text))
    return Coding("characters", vocabulary.names, widths, vocabulary.encoded, characters=text)


def _bytes() -> Coding:
    names = tuple(chr(byte) if chr(byte).isprintable() and byte < 128 else f"0x{byte:02x}" for byte in range(256))
    return Coding("bytes", names, (1.0,) * 256, lambda text: code_points(text).astype(np.uint8))


def _tokens(file: Path, training: Sequence[str]) -> Coding:
    tokenizer, written = _tokenizer(file)
    ids = tokenizer.get_vocab(with_added_tokens=True)
    names = [""] * (1 + max(ids.values(), default=0))
    for name, number in ids.items():
        names[number] = name
    filler = next((ids[name] for name in FILLERS if name in ids), 0)

    def encoded(text: str) -> Array:
        return np.array(tokenizer.encode(text, add_special_tokens=False).ids, np.int32)

    return Coding("tokens", tuple(names), _widths(tokenizer, names, training), encoded, filler, tokenizer=written)


def _tokenizer(file: Path) -> tuple[Any, str]:
    """A `tokenizers.Tokenizer`, which neither cuts nor fills, and the text of its file."""
    try:
        import tokenizers
    except ImportError:
        raise UserError(f"task.unit: {file} needs tokenizers: {how_to_install('tokenizers')}") from None
    if not file.is_file():
        raise UserError(f"task.unit: no file {file.absolute()}")
    try:
        written = file.read_bytes().decode()
        found = tokenizers.Tokenizer.from_str(written)
    except Exception as error:  # which is what it raises, whatever is wrong
        raise UserError(f"task.unit: {file} is no file of a tokenizer: {str(error).splitlines()[0]}") from None
    found.no_truncation()
    found.no_padding()
    return found, written


def _widths(tokenizer: Any, names: Sequence[str], training: Sequence[str]) -> tuple[float, ...]:
    """Bytes of each token. Of one that is made of bytes, as GPT-2's are, a letter is a byte; otherwise the mean of
    where it stands in the training texts, and the length of its name where it does not stand there."""
    if _is_of_bytes(tokenizer):
        return tuple(map(float, map(len, names)))
    total, count = np.zeros(len(names)), np.zeros(len(names))
    for text in training:
        found = tokenizer.encode(text, add_special_tokens=False)
        for number, (start, end) in zip(found.ids, found.offsets, strict=True):
            total[number] += len(text[start:end].encode())
            count[number] += 1
    spelled = np.array([len(name.encode()) for name in names], float)
    return tuple(np.where(count > 0, total / np.maximum(count, 1), spelled).tolist())


def _is_of_bytes(tokenizer: Any) -> bool:
    return "ByteLevel" in json.dumps(json.loads(tokenizer.to_str()).get("decoder") or {})
