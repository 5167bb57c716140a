"""What ONNX Runtime and OpenVINO say of a file that they do not run, in plain words. Needs neither, nor torch."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from evonas.errors import UserError
from evonas.text import error_text, one_line

GIVEN = "what it is given"
"""In the place of types that a runtime does not name."""
TYPES = {"float": "float32", "double": "float64"}
"""What ONNX calls otherwise than PyTorch."""
LOG = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (?:Load model from .* failed:)?")
CODE = r"(?:\S+\.(?:cc|h):\d+ )?(?:[\w:<>&* ]*onnxruntime::.*?\)(?: const)? )?(?:.*? was false\. )?"
"""What stands before a message of ONNX Runtime: the file, function and condition of its code."""
WORDS = (
    (re.compile(r"Could not find an implementation for (\w+\(\d+\))"), "it has no kernel of {0} for " + GIVEN),
    (re.compile(r"Type 'tensor\((\w+)\)' of input parameter .* of operator \((\w+)\)"), "ONNX has no {1} for {0}"),
    (
        re.compile(r"Type parameter \(\w+\) of Optype \((\w+)\) .*tensor\((\w+)\) and tensor\((\w+)\)"),
        "{0} takes numbers of one type, not {1} and {2}",
    ),
    (re.compile(r"Node \([^)]*\) Op \((\w+)\) \[\w+\] (.*)"), "{0}: {1}"),
    (re.compile(rf"while running (\w+) node.*?Status Message: {CODE}(.*)"), "{0}: {1}"),
    (re.compile(r"No conversion rule found for operations: (\w+)-\d+"), "it has no {0} of ONNX"),
)
"""A runtime's text -> what it says; all but the first are found anywhere in it."""
PLACES = re.compile(
    r"Exception from |Check '|While validating|FrontEnd API failed|Model wasn't fully converted|\[\w+\] |-- |Summary:"
)
"""How lines of OpenVINO's begin that say where in its code it was, or that something has failed."""
MODULE = re.compile(r"(?:'|Name:'|Node\(\w+\): |\()/([\w./]+)/\w+['>)]")
"""In the name of a node, which is made of the path of its module."""
MEMORY = re.compile(r"memory|alloc", re.IGNORECASE)


class Refused(Exception):
    """A runtime does not load or run the file of a network. The message is one line.

    Args:
        runtime: as configs name it.
        why: in plain words.
        module: which part of the network it is about, as the file names it; "" where it does not.
    """

    def __init__(self, runtime: str, why: str, module: str = "") -> None:
        super().__init__(f"{runtime} does not run it: {why}" + (f": module {module}" if module else ""))
        self.why, self.module = why, module


@contextmanager
def refusing(runtime: str) -> Iterator[None]:
    """A block in which a runtime loads and runs the file of a network.

    Args:
        runtime: as configs name it.

    Raises:
        Refused: it raises something else than that memory has run out.
        Exception: memory has run out.
    """
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Exception as error:
        text = error_text(error)
        if MEMORY.search(text):
            raise
        raise Refused(runtime, plain(text), next(iter(MODULE.findall(text)), "")) from error


def plain(text: str) -> str:
    """One line of what a runtime says at length.

    Args:
        text: of its error.
    """
    for pattern, words in WORDS:
        if found := pattern.search(text):
            return one_line(words.format(*(TYPES.get(part, part) for part in found.groups()))).rstrip(".")
    lines = [LOG.sub("", line.strip()) for line in text.splitlines()]
    telling = [line for line in lines if line and not PLACES.match(line)]
    return one_line(next(iter([*telling, *lines]), "it does not say why")).rstrip(".")
