"""The domains of a `param_space` of Ray Tune as parameters with levels."""

import math
import re
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import Any

from ray.tune.search import sample
from ray.tune.search.variant_generator import parse_spec_vars

from evonas.errors import UserError
from evonas.spaces.genes.node import monotonic
from evonas.tune.parameter import Parameter

STEPS = 65_536
"""Of whole numbers and quantised ones each step is a level, up to so many steps; of more, so many, evenly spread."""


def parameter(name: str, domain: Any, levels: int) -> Parameter:
    """One domain, by Tune's own bounds: that of `randint` is exclusive above, that of a quantised one inclusive.

    Args:
        name: the key in `param_space`, for messages.
        domain: the `Domain` that stands there.
        levels: of a continuous one, on its own scale: at least so many.

    Returns:
        What a strategy searches. Levels drawn uniformly give the domain's distribution.

    Raises:
        UserError: nothing like it can be searched; says what can.
    """
    if isinstance(domain, sample.Function):
        raise UserError(
            f"{name}: sample_from is a function that draws by itself; give a domain, e.g. tune.uniform(0, 1)"
        )
    if domain.is_grid():
        raise UserError(f"{name}: grid_search is a search of its own; give tune.choice(...) with the same values")
    if isinstance(domain, sample.Categorical):
        return _choice(name, domain.categories)
    make = _INTEGERS if isinstance(domain, sample.Integer) else _FLOATS if isinstance(domain, sample.Float) else {}
    sampler: Any = domain.get_sampler() if make else None
    q = 0.0
    if isinstance(sampler, sample.Quantized):
        sampler, q = sampler.sampler, sampler.q
    kind = next((kind for kind in make if isinstance(sampler, kind)), None)
    if kind is None:
        raise UserError(f"{name}: a {type(domain).__name__} by {type(sampler).__name__} cannot be searched; {KNOWN}")
    values = [domain.cast(value) for value in make[kind](domain, sampler, q, levels)]
    if not values:
        raise UserError(f"{name}: between {domain.lower} and {domain.upper} lies no value")
    return Parameter(values, _label(domain, sampler, q, values), ordered=True, exact=False)


KNOWN = "give uniform, loguniform, randn, randint, lograndint, one of these with q, or choice, of ray.tune"


def _choice(name: str, categories: Sequence[Any]) -> Parameter:
    if not categories:
        raise UserError(f"{name}: the choice is empty; give it a value, e.g. tune.choice([1, 2])")
    if any(parse_spec_vars({"value": value})[1:] != ([], []) for value in categories):
        raise UserError(
            f"{name}: domains inside of a choice cannot be searched; give a Space of evonas as space=, whose OneOf can"
        )
    shown = re.sub(r" at 0x[0-9a-f]+", "", ", ".join(map(repr, categories)))  # an address is another in each process
    return Parameter(categories, f"choice({shown})", monotonic(categories), exact=True)


def _uniform(domain: Any, sampler: Any, q: float, levels: int) -> Iterable[float]:
    if q:
        return [step * q for step in _spread(*_steps(domain, q))]
    if domain.lower > domain.upper:
        return ()
    return _between(domain.lower, domain.upper, levels)


def _loguniform(domain: Any, sampler: Any, q: float, levels: int) -> Iterable[float]:
    if domain.lower > domain.upper:
        return ()
    found = [math.exp(x) for x in _between(math.log(domain.lower), math.log(domain.upper), levels)]
    inside = [domain.lower, *found[1:-1], domain.upper]  # exp(log(x)) may lie beyond x
    return [round(value / q) * q for value in inside] if q else inside


def _normal(domain: Any, sampler: Any, q: float, levels: int) -> Iterable[float]:
    """The middles of as many equally likely parts."""
    found = [NormalDist(sampler.mean, sampler.sd).inv_cdf((k + 0.5) / levels) for k in range(levels)]
    return [round(value / q) * q for value in found] if q else found


def _integers(domain: Any, sampler: Any, q: float, levels: int) -> Iterable[float]:
    first, last = _steps(domain, q or 1)
    return [step * (q or 1) for step in _spread(first, last if q > 1 else last - 1)]


def _log_integers(domain: Any, sampler: Any, q: float, levels: int) -> Iterable[float]:
    """The middles of as many equally likely parts, rounded down as Tune does."""
    first, last = _steps(domain, q or 1)
    end = last + (1 if q > 1 else 0)
    if first >= end:
        return ()
    width = math.log(end / first) / levels
    return [min(end - 1, int(first * math.exp((k + 0.5) * width))) * (q or 1) for k in range(levels)]


_FLOATS = {sample.Uniform: _uniform, sample.LogUniform: _loguniform, sample.Normal: _normal}
_INTEGERS = {sample.Uniform: _integers, sample.LogUniform: _log_integers}


def _steps(domain: Any, q: float) -> tuple[int, int]:
    """The first and the last multiple of q inside; a bound that is one but for rounding is one."""
    low, high = domain.lower / q, domain.upper / q
    return (
        round(low) if math.isclose(low, round(low)) else math.ceil(low),
        round(high) if math.isclose(high, round(high)) else math.floor(high),
    )


def _spread(first: int, last: int) -> Sequence[int]:
    count = last - first + 1
    if count <= STEPS:
        return range(first, last + 1)
    return [first + k * (count - 1) // (STEPS - 1) for k in range(STEPS)]


def _between(low: float, high: float, levels: int) -> list[float]:
    """Both ends included."""
    if low == high:
        return [low]
    return [*(low + (high - low) * k / (levels - 1) for k in range(levels - 1)), high]


def _label(domain: Any, sampler: Any, q: float, values: Sequence[float]) -> str:
    """Equal for two domains that are, whether their bounds were written as whole numbers or not."""
    normal = isinstance(sampler, sample.Normal)
    law = "normal" if normal else type(sampler).__name__.strip("_").lower()
    ends = (sampler.mean, sampler.sd) if normal else (domain.lower, domain.upper)
    numbers = ", ".join(repr(type(values[0])(number)) for number in (*ends, *([q] if q else [])))
    return f"{law}({numbers}) of {type(domain).__name__.lower()}s at {len(values)} levels"
