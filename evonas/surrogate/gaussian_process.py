"""A Gaussian process on points in parts (Rasmussen & Williams, Gaussian Processes for Machine Learning, 2006).

k(a, b) = exp(-sum over parts of theta_p |a_p - b_p|^2); the amplitude is profiled (chapter 5.4.1), and theta and noise
maximise the posterior under log-normal priors. Everything is float64, and what a decision may hang on is rounded:
hyperparameters to a thousandth of their logarithm, predictions to a millionth of the spread of the targets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.spatial.distance import squareform

from evonas.surrogate.lbfgs import minimise

Matrix = NDArray[np.float64]
THETA, THETA_SPREAD = np.log(0.3), 1.0
NOISE, NOISE_SPREAD = np.log(0.01), 1.5
ITERATIONS = 12
JITTER = 1e-8


@dataclass(frozen=True, slots=True)
class Kernel:
    """Hyperparameters.

    Args:
        thetas: of the parts, shape (parts,).
        noise: variance of the noise as a share of that of the function; of each target times its `noises`.
    """

    thetas: Matrix
    noise: float


def fit_kernel(distances: Matrix, targets: Matrix, noises: Matrix | None = None) -> Kernel:
    """Find the hyperparameters that are likeliest a posteriori.

    Args:
        distances: squared, of each part between each pair, as `squareform` has them: shape (parts, n (n - 1) / 2).
        targets: with mean 0 and deviation 1, shape (n,).
        noises: how many times the noise of each target is; default: 1 of each.

    Returns:
        They, rounded.
    """
    n = len(targets)
    scales = np.ones(n) if noises is None else noises

    def posterior(x: Matrix) -> tuple[float, Matrix]:
        thetas, noise = np.exp(x[:-1]), float(np.exp(x[-1]))
        pairs = np.exp(-(thetas @ distances))
        inverse, log_det = _inverse(_covariance(pairs, noise * scales))
        alpha = inverse @ targets
        amplitude = float(targets @ alpha) / n
        value = 0.5 * (n * np.log(amplitude) + log_det)
        weight = inverse - np.outer(alpha, alpha) / amplitude
        own = squareform(weight, checks=False) * pairs
        gradient = np.append(-thetas * (distances @ own), 0.5 * noise * float(np.diag(weight) @ scales))
        off = np.append((x[:-1] - THETA) / THETA_SPREAD, (x[-1] - NOISE) / NOISE_SPREAD)
        spreads = np.append(np.full(len(thetas), THETA_SPREAD), NOISE_SPREAD)
        return float(value + 0.5 * off @ off), gradient + off / spreads

    start = np.append(np.full(len(distances), THETA), NOISE)
    found = np.round(minimise(posterior, start, ITERATIONS), 3)
    return Kernel(np.exp(found[:-1]), float(np.exp(found[-1])))


def pair_distances(points: Matrix, parts: NDArray[np.int64]) -> Matrix:
    """Squared distances of points, a row a part, as `fit_kernel` takes them."""
    above = np.triu_indices(len(points), 1)
    return np.array([_squares(points[:, own], points[:, own])[above] for own in _columns(parts)])


class GaussianProcess:
    """What is known of a target by some points of it.

    Args:
        kernel: from `fit_kernel`.
        parts: of the columns of points.
        points: shape (n, columns).
        targets: shape (n,), in any unit.
        noises: as of `fit_kernel`.
    """

    def __init__(
        self,
        kernel: Kernel,
        parts: NDArray[np.int64],
        points: Matrix,
        targets: Matrix,
        noises: Matrix | None = None,
    ) -> None:
        self._weights = np.sqrt(kernel.thetas)[parts]
        self._points = points * self._weights
        self._mean, self._spread = _moments(targets)
        scaled = (targets - self._mean) / self._spread
        scales = np.ones(len(targets)) if noises is None else noises
        self._factor = _factor(np.exp(-_squares(self._points, self._points)), kernel.noise * scales)
        self._alpha = lapack.dpotrs(self._factor, scaled, lower=1)[0]
        self._amplitude = float(scaled @ self._alpha) / len(targets)

    def predict(self, points: Matrix) -> tuple[Matrix, Matrix]:
        """What the target is at points, without its noise.

        Args:
            points: shape (m, columns).

        Returns:
            Means and standard deviations, shape (m,) each, in the targets' unit.
        """
        near = np.exp(-_squares(self._points, points * self._weights))
        means = self._alpha @ near
        solved = lapack.dtrtrs(self._factor, near, lower=1)[0]
        variances = self._amplitude * np.maximum(1 - (solved**2).sum(0), 1e-6)
        unit = 1e-6
        return (
            self._mean + self._spread * np.round(means / unit) * unit,
            self._spread * np.round(np.sqrt(variances) / unit) * unit,
        )


def standardised(targets: Matrix) -> Matrix:
    """Targets with mean 0 and deviation 1."""
    mean, spread = _moments(targets)
    return (targets - mean) / spread


def _moments(targets: Matrix) -> tuple[float, float]:
    return float(targets.mean()), float(targets.std()) or 1.0


def _covariance(pairs: Matrix, noise: Matrix) -> Matrix:
    covariance: Matrix = squareform(pairs, checks=False)
    np.fill_diagonal(covariance, 1 + noise + JITTER)
    return covariance


def _inverse(covariance: Matrix) -> tuple[Matrix, float]:
    """The inverse of a positive definite matrix, and the logarithm of its determinant."""
    factor = lapack.dpotrf(covariance, lower=1)[0]
    inverse = np.tril(lapack.dpotri(factor, lower=1)[0])
    return inverse + np.tril(inverse, -1).T, 2 * float(np.log(np.diag(factor)).sum())


def _factor(near: Matrix, noise: Matrix) -> Matrix:
    near[np.diag_indices(len(near))] = 1 + noise + JITTER
    factor: Matrix = lapack.dpotrf(near, lower=1)[0]
    return factor


def _squares(a: Matrix, b: Matrix) -> Matrix:
    """Squared distances, shape (len(a), len(b))."""
    squares: Matrix = np.maximum((a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T, 0.0)
    return squares


def _columns(parts: NDArray[np.int64]) -> Sequence[NDArray[np.bool_]]:
    return [parts == part for part in range(int(parts[-1]) + 1)]
