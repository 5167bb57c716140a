"""What became of pictures, for people."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from evonas.tasks.class_folders import count
from evonas.tasks.pictures.images import BACKGROUND, MODES, Form, Traits


class Tally:
    """Counts what pictures were."""

    def __init__(self) -> None:
        self.deep = False
        self._read = self._grey = self._transparent = self._turned = 0
        self._sizes: Counter[tuple[int, int]] = Counter()

    def add(self, traits: Traits) -> None:
        """Count one picture."""
        self.deep |= traits.deep
        self._read += 1
        self._grey += traits.grey
        self._transparent += traits.transparent
        self._turned += traits.turned
        self._sizes[traits.size] += 1

    def merge(self, other: "Tally") -> None:
        """Count the pictures of another tally."""
        self.deep |= other.deep
        self._read += other._read
        self._grey += other._grey
        self._transparent += other._transparent
        self._turned += other._turned
        self._sizes += other._sizes

    def plain(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        counts = {"read": self._read, "grey": self._grey, "transparent": self._transparent, "turned": self._turned}
        sizes = [[*size, n] for size, n in sorted(self._sizes.items())]
        return {"deep": self.deep, **counts, "sizes": sizes}

    @classmethod
    def of_plain(cls, data: Mapping[str, Any]) -> "Tally":
        """What `plain` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        tally = cls()
        tally.deep = bool(data["deep"])
        tally._read, tally._grey = int(data["read"]), int(data["grey"])
        tally._transparent, tally._turned = int(data["transparent"]), int(data["turned"])
        tally._sizes = Counter({(int(height), int(width)): int(n) for height, width, n in data["sizes"]})
        return tally

    def notes(self, form: Form) -> Iterator[str]:
        """What pictures become that are not as a task holds them."""
        yield from self._scaled(form)
        if self._grey and form.channels != 1:
            yield f"{count(self._grey, 'grey picture')} become {MODES[form.channels]}; channels: 1 keeps them grey"
        if self._read - self._grey and form.channels == 1:
            yield f"{count(self._read - self._grey, 'picture')} in colour become grey; channels: 3 keeps the colours"
        if self._transparent:
            yield (
                f"{count(self._transparent, 'picture')} with transparency are laid on grey ({BACKGROUND} of 255); "
                "channels: 4 keeps transparency as a channel"
            )
        if self._turned:
            yield f"{count(self._turned, 'picture')} are turned upright, as their EXIF orientation says"
        if self.deep:
            yield "the pictures have more than 8 bits a channel: their values are kept, as float32"

    def _scaled(self, form: Form) -> Iterator[str]:
        own = form.height, form.width
        others = Counter({size: n for size, n in self._sizes.items() if size != own})
        if not others:
            return
        (low, high), sizes = (min(others), max(others)), len(others)
        of = f"{low[0]} x {low[1]}" + (f" to {high[0]} x {high[1]}" if sizes > 1 else "")
        kept = all(height * form.width == width * form.height for height, width in others)
        proportions = "" if kept else ", their proportions are not kept"
        yield (
            f"{count(others.total(), 'picture')} of {of} (height x width) are scaled to "
            f"{form.height} x {form.width}{proportions}; task.size sets another size"
        )
