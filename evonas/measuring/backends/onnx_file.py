"""What an ONNX file from somewhere else must not do, seen without a library for ONNX."""

import re

EXTERNAL = re.compile(rb"[\x08\x00]location")
"""The key under which a tensor names another file, behind its length of 8: one byte, or more of which the last is 0."""


def self_contained(file: bytes) -> bytes:
    """The file, if it takes no weights from other files: a runtime would read those of this machine.

    Raises:
        ValueError: it does.
    """
    if EXTERNAL.search(file):
        raise ValueError("this ONNX file takes weights from other files; save it with its weights inside")
    return file
