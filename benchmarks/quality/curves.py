"""Learning curves for a table that has only what networks reach in the end: power laws with noise, which cross.

A curve is u(x) = u(1) exp(c (x^-p - 1) + noise), where x is the share of the training and u = -log(1 - error / chance),
which is error / chance where that is small and grows without bound towards chance. The coefficient c is a network's
own, log-normal, and the smaller the worse a network is in the end; the noise is an AR(1) process that fades towards the
end. Its numbers are fitted to real curves: `python benchmarks/early_stopping.py --fit RUN` does it again.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

CHANCE = 0.9
Matrix = np.ndarray


@dataclass(frozen=True)
class Shape:
    """What curves are drawn from.

    Args:
        power: p.
        middle: mean of log c, of a network that is average in the end.
        slope: by how much log c changes with the standardised log u(1).
        spread: deviation of log c beyond that.
        noise: deviation of the noise at the start.
        stays: correlation of the noise over a 27th of the training.
    """

    power: float
    middle: float
    slope: float
    spread: float
    noise: float
    stays: float


DIGITS = Shape(power=0.07, middle=2.66, slope=-0.15, spread=0.23, noise=0.58, stays=0.36)
"""Of 32 networks drawn by `strategy: random` from configs/digits.yaml, each trained for 27 epochs."""


def drawn(end: Matrix, milestones: Matrix, epochs: int, shape: Shape = DIGITS, seed: int = 27) -> Matrix:
    """What networks reach on the way.

    Args:
        end: errors after the whole training, shape (networks,).
        milestones: the epochs asked for, ascending, shape (m,).
        epochs: of the whole training.
        shape: of the curves.
        seed: of it all.

    Returns:
        Errors, shape (networks, m); the last epoch's are those of `end`.
    """
    rng, x = np.random.default_rng(seed), np.asarray(milestones) / epochs
    last = _depth(end)
    standard = _standardised(np.log(last))
    c = np.exp(shape.middle + shape.slope * standard + shape.spread * rng.standard_normal(len(end)))
    noise = np.zeros((len(end), len(x)))
    for place, share in enumerate(x):
        kept = shape.stays ** (27 * (share - x[place - 1])) if place else 0.0
        fresh = rng.standard_normal(len(end)) * (1 - kept**2) ** 0.5
        noise[:, place] = (kept * noise[:, place - 1] if place else 0.0) + fresh
    grown = c[:, None] * (x**-shape.power - 1) + shape.noise * noise * (1 - x) ** 0.5
    return CHANCE * -np.expm1(-last[:, None] * np.exp(grown))


def fitted(frame: pd.DataFrame) -> Shape:
    """The shape of the curves of fully trained candidates of a run, whose metric is an error of ten even classes."""
    rows = frame[frame["status"] == "ok"]
    errors = np.array([[point["valid_metric"] for point in curve] for curve in rows["curve"]])
    depth = _depth(errors + 0.5 / 359)  # no network is without an error, whatever 359 examples say
    grown = np.log(depth / depth[:, -1:])
    x = np.arange(1, errors.shape[1] + 1) / errors.shape[1]
    powers = np.linspace(0.05, 1.5, 59)
    power = min(powers, key=lambda p: float((_residuals(grown, x, p)[1] ** 2).sum()))
    c, rest = _residuals(grown, x, power)
    log_c, standard = np.log(np.maximum(c, 0.05)), _standardised(np.log(depth[:, -1]))
    slope = float((standard * (log_c - log_c.mean())).mean())
    white = rest[:, :-1] / (1 - x[:-1]) ** 0.5
    stays = float((white[:, 1:] * white[:, :-1]).mean() / (white**2).mean())
    spread = float((log_c - slope * standard).std())
    return Shape(*(round(float(v), 2) for v in (power, log_c.mean(), slope, spread, white.std(), stays)))


def _residuals(grown: Matrix, x: Matrix, power: float) -> tuple[Matrix, Matrix]:
    """The best c of each curve, and what it leaves."""
    basis = x**-power - 1
    c = grown @ basis / (basis @ basis)
    return c, grown - c[:, None] * basis


def _depth(error: Matrix) -> Matrix:
    return -np.log1p(-np.minimum(error / CHANCE, 1 - 1e-9))


def _standardised(values: Matrix) -> Matrix:
    return (values - values.mean()) / values.std()
