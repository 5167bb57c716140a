"""A `param_space` as plain data, which JSON can hold: Tune does not give it again when it restores a search."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ray import tune
from ray.tune.search import sample

Plain = dict[str, Any]


def to_plain(part: Any) -> Plain | None:
    """What stands in a `param_space`, as plain data.

    Args:
        part: a domain that can be searched, or dicts, lists, tuples and scalars with such domains in them.

    Returns:
        JSON-able data; None where there is something else in it, such as an object of the user's own.
    """
    if isinstance(part, sample.Domain):
        return _domain(part)
    if type(part) is dict:
        items = [(key, to_plain(value)) for key, value in part.items()]
        return {"dict": [list(item) for item in items]} if all(type(k) is str and v for k, v in items) else None
    if type(part) in _SEQUENCES:
        parts = [to_plain(value) for value in part]
        return {type(part).__name__: parts} if all(parts) else None
    if isinstance(part, np.generic) and part.dtype.kind in "biuf":
        return {"numpy": [part.dtype.name, part.item()]}
    return {"value": part} if part is None or type(part) in (str, int, float, bool) else None


def from_plain(data: Plain) -> Any:
    """What `to_plain` made plain data of.

    Args:
        data: plain data, which may be anybody's.

    Raises:
        ValueError: it is none; also TypeError, LookupError and AttributeError.
    """
    ((kind, content),) = data.items()
    return _MAKERS[kind](*content) if kind in _MAKERS else _READERS[kind](content)


def _domain(domain: Any) -> Plain | None:
    if isinstance(domain, sample.Categorical):
        parts = [to_plain(value) for value in domain.categories]
        return {"choice": parts} if all(parts) else None
    law: Any = domain.get_sampler()
    quantised = isinstance(law, sample.Quantized)
    q, law = ([law.q], law.sampler) if quantised else ([], law)
    whole = isinstance(domain, sample.Integer)
    if isinstance(law, sample.Normal):
        name, numbers = "randn", [float(law.mean), float(law.sd)]
    else:
        stem = "randint" if whole else "uniform"
        name = f"log{stem}" if isinstance(law, sample.LogUniform) else stem
        numbers = [domain.lower, domain.upper]
    return {"q" * quantised + name: [(int if whole else float)(number) for number in (*numbers, *q)]}


_SEQUENCES: tuple[type, ...] = (list, tuple)
_DOMAINS: tuple[Callable[..., Any], ...] = (
    *(tune.uniform, tune.quniform, tune.loguniform, tune.qloguniform, tune.randn, tune.qrandn),
    *(tune.randint, tune.qrandint, tune.lograndint, tune.qlograndint),
)
_READERS: dict[str, Callable[[Any], Any]] = {
    "dict": lambda items: {key: from_plain(value) for key, value in items},
    "list": lambda parts: [from_plain(part) for part in parts],
    "tuple": lambda parts: tuple(from_plain(part) for part in parts),
    "value": lambda value: value,
    "numpy": lambda pair: np.dtype(pair[0]).type(pair[1]),
    "choice": lambda parts: tune.choice([from_plain(part) for part in parts]),
}
_MAKERS = {make.__name__: make for make in _DOMAINS}
