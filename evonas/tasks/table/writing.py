"""Numbers as people write them: decimal commas, thousands apart, a unit behind; one column of texts at a time."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from evonas.tasks.table.record import Writing

CURRENCIES = "€$£¥₹₽₺₩"
CODES = "AUD|CAD|CHF|CNY|CZK|DKK|EUR|GBP|HUF|INR|JPY|NOK|PLN|SEK|USD"
FORM = re.compile(
    rf"(?P<sign>[+-]?) ?(?:(?P<before>[{CURRENCIES}]|{CODES}) ?)?(?P<sign2>[+-]?)"
    r"(?P<core>[\d.,](?:[\d.,' ]*\d)?[.,]?)(?P<power>[eE][+-]?\d+)? ?"
    r"(?P<behind>[^\W\d_][^\d\s,;:()]{0,9}|[^\w\s.,;:'\"()/+*#&<>=-][^\d\s,;:()]{0,9})?"
)
"""A sign, a currency, digits with what stands between them, and a unit of up to ten characters without digits."""
SAME = str.maketrans("\u00a0\u202f\u2009\u2019\u2212", "   '-")
"""Characters that are written for others."""
LONGEST = 40
"""Characters of a number."""
CORES = {
    decimal: re.compile(
        rf"(?:[1-9]\d{{0,2}}(?P<apart>[{other}' ])\d{{3}}(?:(?P=apart)\d{{3}})*|\d+)(?:[{decimal}]\d*)?|[{decimal}]\d+"
    )
    for decimal, other in ((".", ","), (",", "."))
}
"""What stands before the decimal places -> the digits of a number; thousands may be apart."""
DASHES = "-|--|---|\u2013|\u2014|.|..|?"
WORDS = (
    "k.a.|k. a.|k.a|ka|keine angabe|n/a|n.a.|n. a.|n.a|na|not available|#n/a|#nv|#wert!|#value!|#div/0!|nan|nil|null|"
    "none|unknown|unbekannt|missing|fehlt|leer"
)
NO_ANSWER = frozenset(f"{DASHES}|{WORDS}".split("|"))
"""Texts that stand for no number, in small letters."""
ODD = 20
"""One text of so many may be no number, in a column of numbers, or no date; of ten texts one."""
SHOWN = 5
"""Texts that a note names."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The numbers of a column of texts.

    Args:
        writing: how they are written.
        numbers: text -> what it is.
        missing: text that is no number -> how often it is there.
        doubtful: a text that is another number with the other decimal sign, where no text says which one it is.
        certain: whether some text is a number with one decimal sign alone.
        apart: what stands between thousands.
    """

    writing: Writing
    numbers: Mapping[str, float]
    missing: Mapping[str, int] = field(default_factory=dict)
    doubtful: str = ""
    certain: bool = False
    apart: str = ""

    @property
    def is_plain(self) -> bool:
        """Whether these are numbers as programs write them, so that nothing need be said of them."""
        other = self.writing != Writing() or self.missing or self.doubtful or self.apart
        return not other and all(map(_is_float, self.numbers))

    def in_words(self) -> str:
        """Of how they are written, for people."""
        own = self.writing
        there = any(own.decimal in text.replace(own.behind, "") for text in self.numbers)
        said = there and (own.decimal == "," or self.apart or self.doubtful)
        how = [f"decimal {'comma' if own.decimal == ',' else 'point'}"] * bool(said)
        how += [f"{own.before} before"] * bool(own.before) + [f"{own.behind} behind"] * bool(own.behind)
        between = {"": "", ",": "commas", ".": "points", " ": "spaces", "'": "apostrophes"}
        how += [f"{between[self.apart]} between thousands"] * bool(self.apart)
        return "numbers" + (f" with {', '.join(how)}" if how else "")


def reading_of(counts: Mapping[str, int], decimal: str = "", usual: str = ".") -> Reading | None:
    """How texts are to be read as numbers; None where they are no numbers, nearly all of them in one writing.

    Args:
        counts: text -> how often it is there.
        decimal: "." or ",", where that is known.
        usual: what is taken where the texts do not say.
    """
    forms = {text: form for text in counts if (form := _form(text))}
    affixes: Counter[tuple[str, str]] = Counter()
    for text, form in forms.items():
        affixes[_affixes(form)] += counts[text]
    if not affixes:
        return None
    (before, behind), _ = affixes.most_common(1)[0]
    own = {text: form for text, form in forms.items() if _affixes(form) == (before, behind)}
    found = {each: _numbers(own, each) for each in CORES if decimal in ("", each)}
    fits = {each: sum(counts[text] for text in numbers) for each, numbers in found.items()}
    chosen = max(fits, key=lambda each: (fits[each], each == usual))
    numbers = found[chosen]
    if not numbers or not _are_most(counts, numbers):
        return None
    certain = len(set(fits.values())) > 1
    other = found.get("," if chosen == "." else ".", numbers)
    doubts = [] if certain else [text for text in numbers if other.get(text) != numbers[text]]
    return Reading(
        Writing(decimal=chosen, before=before, behind=behind),  # type: ignore[arg-type]
        numbers,
        {text: count for text, count in counts.items() if text not in numbers},
        doubts[0] if doubts else "",
        certain,
        next((apart for text in numbers if (apart := _apart(own[text], chosen))), ""),
    )


def read_as(texts: Mapping[str, int], writing: Writing) -> Mapping[str, float] | None:
    """Text -> its number, in a writing that is known; None where too many texts are not written so.

    Args:
        texts: text -> how often it is there.
        writing: that of the rows that networks learned from.
    """
    forms = {text: form for text in texts if (form := _form(text))}
    own = {text: form for text, form in forms.items() if _affixes(form) == (writing.before, writing.behind)}
    numbers = _numbers(own, writing.decimal)
    return numbers if _are_most(texts, numbers) else None


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _form(text: str) -> re.Match[str] | None:
    """The parts of a number; None where the text is none."""
    if len(text) > LONGEST:
        return None
    form = FORM.fullmatch(text.translate(SAME).strip())
    return None if form is None or (form["sign"] and form["sign2"]) else form


def _affixes(form: re.Match[str]) -> tuple[str, str]:
    return form["before"] or "", form["behind"] or ""


def _numbers(forms: Mapping[str, re.Match[str]], decimal: str) -> dict[str, float]:
    """The numbers of those texts that have this decimal sign, or none."""
    found = {}
    for text, form in forms.items():
        if core := CORES[decimal].fullmatch(form["core"]):
            digits = core[0].replace(core["apart"] or " ", "").replace(decimal, ".")
            found[text] = float(f"{form['sign'] or form['sign2']}{digits}{form['power'] or ''}")
    return found


def _apart(form: re.Match[str], decimal: str) -> str:
    core = CORES[decimal].fullmatch(form["core"])
    return (core["apart"] or "") if core else ""


def _are_most(counts: Mapping[str, int], numbers: Mapping[str, float]) -> bool:
    """Whether so few texts are no numbers that they can be left away; those that stand for nothing are not counted."""
    return are_few({text: count for text, count in counts.items() if text not in numbers}, sum(counts.values()))


def are_few(odd: Mapping[str, int], count: int) -> bool:
    """Whether texts that are not what the others are can be left away; those that stand for nothing are not counted.

    Args:
        odd: text -> how often it is there.
        count: of all texts.
    """
    silent = sum(own for text, own in odd.items() if text.strip().casefold() in NO_ANSWER)
    known, left = count - silent, sum(odd.values()) - silent
    return left <= max(known // ODD, int(known >= 10)) and left < known


def as_missing(name: str, texts: Mapping[str, int], noun: str) -> str:
    """A note on a column.

    Args:
        name: of it.
        texts: that are none of its values -> how often each is there.
        noun: what they are not.
    """
    shown = [f"{text[:40]!r} ({count:,})" for text, count in Counter(texts).most_common(SHOWN)]
    more = f" and {len(texts) - SHOWN:,} others" if len(texts) > SHOWN else ""
    return f"{name}: taken as missing, for it is no {noun}: {', '.join(shown)}{more}"
