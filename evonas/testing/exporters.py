"""The contract of an exporter: see `evonas.exporters.Exporter`."""

import json

from evonas.errors import UserError
from evonas.exporters import Exporter, shipped, written
from evonas.exporters.exporter import labelled
from evonas.inputs import called, mapped
from evonas.measuring.backends.backend import BACKENDS
from evonas.testing.checks import attempt, network_unchanged, process_unchanged, require
from evonas.testing.examples import Scaled, batch, networks

LABELS = {"classes": json.dumps(["é", "two words", 'quo"te', "\n{}"]), "candidate": "7"}
"""Texts that a file must give back as they are."""


def check_exporter(exporter: Exporter) -> None:
    """Make sure that an exporter keeps its contract, for networks of images, of whole numbers and of several inputs.

    Args:
        exporter: the exporter. The library that it needs must be installed.

    Raises:
        AssertionError: it does not; says where.
    """
    with attempt("the hint"):
        shown = exporter.hint.format(path="net.file")
        require(not exporter.hint or "net.file" in shown, "the hint has no {path} in it")
    unknown = [name for name in exporter.backends if name not in BACKENDS]
    require(not unknown, f"backends: there is no {', '.join(unknown)}; there are {', '.join(BACKENDS)}")
    for kind, network, inputs in networks():
        whole, x = shipped(Scaled(), network), batch(inputs, 2)
        what = f"a network of {kind}"
        with attempt(what), process_unchanged(what), network_unchanged(whole, what):
            try:
                file, _ = written(exporter, whole, x)
            except UserError as error:
                raise AssertionError(f"{what}: {error}") from error
        require(isinstance(file, bytes) and bool(file), f"{what}: write gave {type(file).__name__}, not bytes")
        file = _check_labels(exporter, file, what)
        if exporter.run is None:
            continue
        for count in (1, 3):
            with attempt(f"{what}, run with {count} examples"):
                x = batch(inputs, count, seed=count)
                found = exporter.run(file, mapped(lambda part: part.numpy(), x))
                expected = called(whole, x).detach().numpy()
                require(
                    found.shape == expected.shape,
                    f"{what}: the file gave {found.shape} for {count} examples, not {expected.shape}",
                )
                off = abs(found - expected).max() / abs(expected).max()
                require(bool(off < 1e-3), f"{what}: the file's output differs by {off:.2g} of the largest")


def _check_labels(exporter: Exporter, file: bytes, what: str) -> bytes:
    """The file with texts in it, which must come back."""
    if exporter.labels is None:
        return file
    with attempt(f"{what}, labelled"):
        found = labelled(exporter, file, LABELS)
        given = dict(exporter.labels.get(found))
    require(given == LABELS, f"{what}: labels.get gives {given} of a file into which labels.put put {LABELS}")
    return found
