"""A launch file with the user's values in it, as a copy of their own that git does not see."""

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from evonas.clusters.forms import is_plain, require_form
from evonas.did_you_mean import unknown
from evonas.errors import UserError

_SLOT = re.compile(r"CHANGE-ME-([a-z]+)")
_DEFAULTS = re.compile(r"^# Defaults: (.+)$", re.MULTILINE)
_MARK = "# Filled in: "
PLACE = "# Place: "
"""How a line begins that says of a cluster what no place of its file holds, and in which nothing is filled in."""
_VALUE = re.compile(r"[\w./:@+=, -]+")


def slots(text: str) -> list[str]:
    """The names of what has to be given, in the order of the file."""
    return list(dict.fromkeys(_SLOT.findall(text)))


def defaults(text: str) -> dict[str, str]:
    """Name -> what the file has, for what may be given: the line `# Defaults: region=us-west-2` of its head."""
    found = _DEFAULTS.search(text)
    return dict(pair.split("=", 1) for pair in found[1].split()) if found else {}


def fill(text: str, values: Mapping[str, str]) -> str:
    """The file with the values in the places that are named for them.

    Args:
        text: a launch file: `CHANGE-ME-image` is the place of `image`.
        values: name -> value, for each of its `slots`, and for those of its `defaults` that are to be another.

    Raises:
        UserError: A name is unknown, a value is missing or has characters that YAML would take for something else.
    """
    usual = defaults(text)
    wanted = slots(text)
    for name, value in values.items():
        if name not in {*wanted, *usual}:
            raise UserError(unknown(name, {*wanted, *usual}))
        if not _VALUE.fullmatch(value) or ": " in value or value.endswith(":") or value != value.strip():
            raise UserError(f"{name}={value!r}: a value is letters, digits and ./:@+=,_- in one line, no ': '")
        if not is_plain(value):
            raise UserError(f"{name}={value!r}: YAML takes this for something else than text")
        if name == "image":
            require_form("kubernetes", name, value, name)  # of all clouds alike
    if missing := [f"{name}=..." for name in wanted if name not in values]:
        raise UserError(f"also wanted: {' '.join(missing)}")
    other = {old: _other(name, old, usual, values) for name, old in usual.items()}
    places = [re.escape(old) for old in sorted(other, key=len, reverse=True)]
    pattern = re.compile("|".join([f"^{PLACE}.*$", _SLOT.pattern, *places]), re.MULTILINE)
    return pattern.sub(lambda m: values[m[1]] if m[1] else other.get(m[0], m[0]), text)


def _other(name: str, old: str, usual: Mapping[str, str], values: Mapping[str, str]) -> str:
    """What takes the place of a default. A zone that is not given is the same letter of the region that is."""
    if name in values:
        return values[name]
    for outer, part in usual.items():
        if part != old and old.startswith(part) and outer in values:
            return values[outer] + old.removeprefix(part)
    return old


def own_copy(path: Path, values: Mapping[str, str], replace: bool = False, keep: bool = False) -> Path:
    """Writes `my-NAME` beside the file, filled in.

    Args:
        path: a launch file.
        values: as of `fill`.
        replace: write over a copy that was changed by hand.
        keep: leave in such a copy what was changed, and take it, with the values put in anew.

    Returns:
        The copy, whose first line says what was filled in.

    Raises:
        UserError: No such file, as `fill` says, or there is a copy that was changed by hand.
    """
    try:
        template = path.read_text()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    text = _signed(template, values)
    copy = path.with_name(f"my-{path.name}")
    if not replace and by_hand(copy, template, text):
        if keep:
            copy.write_text(renewed(copy.read_text(), template, values))
            return copy
        raise UserError(
            f"{copy} was changed by hand, or is of another {path.name}: go on so, or --replace takes its place"
        )
    copy.write_text(text)
    return copy


def by_hand(copy: Path, template: str, text: str = "") -> bool:
    """Whether a copy is there and is neither this text nor what was written of the template."""
    return copy.exists() and copy.read_text() not in (text, _as_written(template, copy.read_text()))


def renewed(copy: str, template: str, values: Mapping[str, str]) -> str:
    """A copy that was changed by hand, with values as they are now in the lines that hold what was filled in.

    Args:
        copy: its text. Lines that were changed stay, and all of it does where its first line says no values. A value
            that cannot be put in for that reason the first line does not say either, and one that was changed in that
            line stays, too.
        template: what it was made of.
        values: name -> value; others stay as they were filled in.

    Raises:
        UserError: As `fill` says.
    """
    if (before := _as_written(template, copy)) is None:
        return copy
    found = _put(copy, template, values)
    anew = dict(zip(before.splitlines()[1:], _signed(template, found).splitlines()[1:], strict=True))
    first, *rest = copy.splitlines(keepends=True)
    kept = {name: _seals(copy).get(name, "-") for name in _edited(copy)}
    lines = [(first, _first_line(found, kept)), *((line, anew.get(line.rstrip("\r\n"))) for line in rest)]
    return "".join(old if new is None else new + old[len(old.rstrip("\r\n")) :] for old, new in lines)


def _put(copy: str, template: str, values: Mapping[str, str]) -> dict[str, str]:
    """What the first line of a copy is to say: a value whose every line was changed by hand is not in it."""
    old, lines = filled_in(copy), set(copy.splitlines())
    before, found = _signed(template, old).splitlines()[1:], dict(old)
    for name, value in ((name, value) for name, value in values.items() if name not in _edited(copy)):
        after = _signed(template, {**old, name: value}).splitlines()[1:]
        places = [line for line, new in zip(before, after, strict=True) if line != new]
        if not places or not lines.isdisjoint(places):
            found[name] = value
    return found


def _signed(template: str, values: Mapping[str, str]) -> str:
    return f"{_first_line(values)}\n{fill(template, values)}"


def _first_line(values: Mapping[str, str], kept: Mapping[str, str] = MappingProxyType({})) -> str:
    """What was filled in, each value with a seal by which one that is changed in all of the file is known.

    kept: name -> seal of one that was.
    """
    seals = [kept.get(name, _seal(name, value)) for name, value in values.items()]
    return " ".join([f"{_MARK}{json.dumps(dict(values))}", *seals])


def _seal(name: str, value: str) -> str:
    return sha256(f"{name}={value}".encode()).hexdigest()[:8]


def _seals(copy: str) -> dict[str, str]:
    """Name -> seal, as the first line has them; the same errors as `filled_in`."""
    return dict(zip(filled_in(copy), copy.partition("\n")[0].rpartition("}")[2].split(), strict=False))


def _edited(copy: str) -> set[str]:
    """The names whose value in the first line is none that was filled in."""
    seals = _seals(copy)
    return {name for name, value in filled_in(copy).items() if seals.get(name) != _seal(name, value)}


def _as_written(template: str, copy: str) -> str | None:
    """What the copy was when it was written, by its first line; None if it has no such line."""
    try:
        return _signed(template, filled_in(copy))
    except (ValueError, TypeError, AttributeError, UserError):
        return None


def filled_in(copy: str) -> dict[str, str]:
    """What was filled into a copy, as its first line says it.

    Raises:
        ValueError: It says nothing, or not as it was written.
        TypeError: The same.
    """
    first = copy.partition("\n")[0]
    if not first.startswith(_MARK):
        raise ValueError(first)
    said, brace, _ = first.removeprefix(_MARK).rpartition("}")
    return dict(json.loads(said + brace))


def unchanged(copy: str) -> dict[str, str]:
    """The same, but for what was changed in that line since."""
    return {name: value for name, value in filled_in(copy).items() if name not in _edited(copy)}


def pairs(words: Iterable[str]) -> dict[str, str]:
    """`key=value` words as a mapping.

    Raises:
        UserError: A word has no `=`.
    """
    found = dict[str, str]()
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"{word!r}: as in image=NAME/evonas:0.1.0")
        found[name] = value
    return found
