"""Random numbers that depend on nothing but seed, profile and purpose.

They are counters run through a mixing function (SplitMix64), so a profile's numbers are the same in whatever chunk,
order or process they are drawn. The one-element array `rng` holds the counter.

Compiled functions are cached by the file they stand in, which does not see a change of this one: whoever changes this
file deletes `__pycache__`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_GOLDEN, _MIX1, _MIX2 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@numba.njit(cache=True)
def _mixed(z: Any) -> Any:
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@numba.njit(cache=True)
def begin(rng: Any, seed: int, profile: int, purpose: int) -> None:
    """Set the counter to the stream of this seed, profile and purpose."""
    key = _mixed(np.uint64(seed) + _GOLDEN)
    key = _mixed(key ^ _mixed(np.uint64(profile) * _GOLDEN + _MIX1))
    rng[0] = _mixed(key ^ _mixed(np.uint64(purpose) * _GOLDEN + _MIX2))


@numba.njit(cache=True)
def uniform(rng: Any) -> float:
    """Draw from [0, 1)."""
    rng[0] += _GOLDEN
    return float(_mixed(rng[0]) >> _S11) * (1.0 / 9007199254740992.0)


@numba.njit(cache=True)
def normal(rng: Any) -> float:
    """Draw from the standard normal distribution."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform(rng)))
    return radius * np.cos(2.0 * np.pi * uniform(rng))


@numba.njit(cache=True)
def poisson(rng: Any, mean: float) -> int:
    """Draw from a Poisson distribution of small mean."""
    floor, product, count = np.exp(-mean), uniform(rng), 0
    while product > floor and count < 100:
        product *= uniform(rng)
        count += 1
    return count
