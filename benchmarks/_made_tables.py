"""Tables that are made, because nobody can be asked to download any: a load with two seasons, and users with tastes."""

import numpy as np
import pandas as pd


def hourly_load(rows: int = 4000, seed: int = 0) -> pd.DataFrame:
    """Hours of a load that has a day and a week in it, and that heating and cooling raise.

    Args:
        rows: hours.
        seed: of temperature and noise.

    Returns:
        hour; load; temperature, known of the past alone; weekend and holiday, known of the future.
    """
    random, t = np.random.default_rng(seed), np.arange(rows)
    hours = pd.date_range("2024-01-01", periods=rows, freq="h")
    weekend = (hours.dayofweek >= 5).astype(float)
    holiday = np.repeat(random.random(-(-rows // 24)) < 0.04, 24)[:rows].astype(float)
    weather = _drifting(rows, 0.995, 0.4, random)
    temperature = 12 - 10 * np.cos(2 * np.pi * t / 8760) - 4 * np.cos(2 * np.pi * (t - 3) / 24) + weather
    working = 1 - 0.6 * np.maximum(weekend, holiday)
    day = np.exp(-(((t % 24) - 9) ** 2) / 8) + 1.3 * np.exp(-(((t % 24) - 19) ** 2) / 6)
    load = 60 + 35 * day * working + 1.5 * np.abs(temperature - 16) + _drifting(rows, 0.9, 0.8, random)
    found = {"load": load, "temperature": temperature, "weekend": weekend, "holiday": holiday}
    return pd.DataFrame({"hour": hours, **pd.DataFrame(found).round(3)})


def _drifting(rows: int, stays: float, noise: float, random: np.random.Generator) -> np.ndarray:
    """(rows,) of x(t) = stays x(t - 1) + noise."""
    found = np.zeros(rows)
    for row, step in enumerate(random.normal(0, noise, rows)):
        found[row] = stays * found[row - 1] + step
    return found


def tastes(users: int = 2000, items: int = 500, each: int = 20, rank: int = 6, seed: int = 0) -> pd.DataFrame:
    """What users with latent tastes took, of a catalogue in which some items are popular.

    Args:
        users: how many.
        items: how many.
        each: items that each user took.
        rank: dimensions of a taste.
        seed: of it all.

    Returns:
        user, item and time, which counts the interactions of a user.
    """
    random = np.random.default_rng(seed)
    liking = 2.5 * random.normal(size=(users, rank)) @ random.normal(size=(rank, items)) / rank**0.5
    gumbel = random.gumbel(size=(users, items))  # the largest sums are a draw without replacement
    took = random.permuted(np.argsort(-(liking + random.normal(size=items) + gumbel), axis=1)[:, :each], axis=1)
    times = np.tile(np.arange(each), users)
    return pd.DataFrame({"user": np.repeat(np.arange(users), each), "item": took.ravel(), "time": times})
