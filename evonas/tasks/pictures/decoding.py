"""Many pictures become pixels, block by block on all cores.

In threads: Pillow lets go of Python's lock while it decodes, converts and scales (84 to 93 % of the time of a
photograph, half of that of a picture of 32 x 32), nothing is pickled, and no process is forked that has torch in it.
"""

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np

from evonas.errors import UserError
from evonas.machine import machine_cores
from evonas.tasks.class_folders import count, unreadable
from evonas.tasks.pictures.images import Traits, pillow
from evonas.tasks.pictures.progress import Progress
from evonas.tasks.pictures.sources import Becomes, Sources
from evonas.tasks.pictures.tally import Tally
from evonas.tasks.task import Array
from evonas.text import error_text

BLOCK, BLOCK_BYTES = 32, 2**22
"""Pictures that are decoded by one thread and written at once, and bytes of them; an interruption waits for them."""


class Depth(NamedTuple):
    """Whether all pictures have more than 8 bits, as the first that can be read has.

    Attributes:
        deep: whether they have.
        first: what that one is called.
    """

    deep: bool
    first: str

    @property
    def dtype(self) -> np.dtype[np.float32] | np.dtype[np.uint8]:
        """Of their pixels."""
        return np.dtype(np.float32) if self.deep else np.dtype(np.uint8)


def depth_of(sources: Sources, form: Becomes) -> Depth:
    """The depth of the first picture that can be decoded; where a block of them cannot, the rest does not matter."""
    for row in range(min(len(sources), BLOCK)):
        found = _one(sources, form, row)
        if not isinstance(found, str):
            return Depth(found[1].deep, sources.called(row))
    return Depth(False, "")


def step_of(form: Becomes, depth: Depth) -> int:
    """Pictures in a block."""
    return max(1, min(BLOCK, BLOCK_BYTES // (int(np.prod(form.shape)) * depth.dtype.itemsize)))


def decode(
    sources: Sources,
    form: Becomes,
    depth: Depth,
    write: Callable[[int, Array], None],
    finished: Callable[[int, Tally], None],
    progress: Progress,
    *,
    key: str,
    done: Collection[int] = (),
    threads: int | None = None,
) -> None:
    """Decode all pictures.

    Args:
        sources: the pictures.
        form: what they become.
        depth: of all of them.
        write: takes the first row of a block, and its pixels (k, channels, height, width); called in threads.
        finished: takes the first row of a block that is written, and what its pictures were; called in this thread.
        progress: is told how many are decoded.
        key: of the config that says where they are, for messages.
        done: first rows of blocks that are there already.
        threads: that decode; default: one for each core.

    Raises:
        UserError: some pictures cannot be read; it names them.
        OSError: of `write`.
    """
    image, step = pillow("image_folder", "images"), step_of(form, depth)
    image.init()  # which imports; not in several threads
    number = min(len(sources), len(done) * step)
    failed: dict[int, str] = {}

    def block(start: int) -> tuple[int, int, Tally, dict[int, str]]:
        rows = range(start, min(start + step, len(sources)))
        pixels, tally, wrong = _block(sources, form, depth, rows)
        if not wrong:
            write(start, pixels)
        return start, len(rows), tally, wrong

    with ThreadPoolExecutor(threads or machine_cores(), "evonas-decode") as pool:
        todo = [pool.submit(block, start) for start in range(0, len(sources), step) if start not in done]
        try:
            for future in as_completed(todo):
                start, rows, tally, wrong = future.result()
                failed |= wrong
                if not wrong:
                    finished(start, tally)
                number += rows
                progress.done(number)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    if failed:
        named = [f"{sources.called(row)}: {failed[row]}" for row in sorted(failed)]
        raise unreadable(key, count(len(named), sources.noun), named)


def _block(sources: Sources, form: Becomes, depth: Depth, rows: range) -> tuple[Array, Tally, dict[int, str]]:
    """Pixels, what the pictures were, and why some of them cannot be read."""
    pixels = np.empty((len(rows), *form.shape), depth.dtype)
    tally, wrong = Tally(), dict[int, str]()
    for row in rows:
        found = _one(sources, form, row)
        if isinstance(found, str):
            wrong[row] = found
        elif found[1].deep != depth.deep:
            mode = found[1].mode
            wrong[row] = f"it is of mode {mode}, {depth.first} is not: convert all to 8 bits or to 16"
        else:
            pixels[row - rows.start] = found[0]
            tally.add(found[1])
    return pixels, tally, wrong


def _one(sources: Sources, form: Becomes, row: int) -> tuple[Array, Traits] | str:
    """A picture's pixels and what it was, or why it cannot be read."""
    try:
        with sources.opened(row) as picture:
            return form.pixels(picture)
    except UserError:
        raise
    except Exception as error:  # whatever the formats of Pillow raise of damaged files
        said = error_text(error)
        return said.splitlines()[0] if said else type(error).__name__
