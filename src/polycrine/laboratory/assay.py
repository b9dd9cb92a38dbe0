"""An assay model: what a plate would say of a concentration that is known.

    signal = f(true x laboratory x plate) x well + background

f is a curve of `logistic`; plate and well are log-normal, the background is normal. The
plate then reads the signal on a curve of its own, fitted to its own noisy standards. `simulate`
makes such a plate, to be fitted and quantified as any other. `measure` does the same, thousands of
times as fast, to first order in the errors of the fitted parameters, which it draws per plate, and
with the limits that the design of the plate implies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from polycrine.laboratory.logistic import FIVE, FOUR, Array, inverse, log_signal, slopes
from polycrine.laboratory.plate import Plate
from polycrine.laboratory.standard_curve import LARGEST_CV

Seed = int | Sequence[int]
CURVE, PLATE, WELL = 1, 2, 3  # purposes of random numbers


@dataclass(frozen=True)
class Assay:
    """The assay of one analyte; concentrations are in `unit`, signals as the reader gives them.

    blank, top, midpoint, slope, asymmetry: a, d, c, b, g of the curve; well_cv: of one well's
    signal; plate_cv: of a plate's scale; laboratory: the factor of all that it reads;
    background_sd: of the signal; hook: the concentration at which half of the signal is lost;
    standards: in `replicates` wells each, with as many blanks; dilution: of every sample. The CVs
    are within what bead assays aim at, 15 % within and 20 % between plates (MILLIPLEX, "Equipment
    settings and data analysis"); curve, standards and background are assumed.
    """

    analyte: str
    unit: str = "pg/mL"
    blank: float = 25.0
    top: float = 25_000.0
    midpoint: float = 3_000.0
    slope: float = 1.1
    asymmetry: float = 1.0
    well_cv: float = 0.07
    plate_cv: float = 0.10
    laboratory: float = 1.0
    background_sd: float = 1.5
    hook: float | None = None
    standards: tuple[float, ...] = field(default=tuple(10_000.0 / 4.0**k for k in range(8)))
    replicates: int = 2
    dilution: float = 1.0

    @property
    def parameters(self) -> Array:
        """The logarithms of a, d, c, b, g."""
        return np.log([self.blank, self.top, self.midpoint, self.slope, self.asymmetry])

    @property
    def limits(self) -> tuple[float, float]:
        """The lowest and the highest standard with a single well's CV up to LARGEST_CV."""
        x = np.sort(np.array(self.standards))
        good = x[_noise(self, x) / _sensitivity(self, x)[1] <= LARGEST_CV]
        return (float(good[0]), float(good[-1])) if len(good) else (np.nan, np.nan)


def measure(
    true: ArrayLike, assay: Assay, plates: ArrayLike, seed: Seed
) -> tuple[Array, NDArray[np.str_]]:
    """Values and flags ("", `below`, `above`) that plates would give for true concentrations.

    plates: the number of the plate of each, an array that broadcasts with true. A plate depends on
    seed and its number only, a well on seed and its place in the array. Beyond a limit of
    quantification the value is that limit.
    """
    true = np.asarray(true, dtype=float)
    plate = np.broadcast_to(np.asarray(plates, dtype=np.intp), true.shape)
    count = int(plate.max(initial=-1)) + 1
    in_well = true * (assay.laboratory / assay.dilution) * _scales(assay, count, seed)[plate]
    signal = _signals(assay, in_well, np.random.default_rng([*_keys(seed), WELL]))
    read = inverse(signal, assay.parameters)
    low, high = assay.limits
    by, slope = _sensitivity(assay, np.clip(read, low, high))
    off = np.random.default_rng([*_keys(seed), CURVE]).standard_normal((count, by.shape[-1]))
    off = off @ np.linalg.cholesky(_covariance(assay)).T
    read = read * np.exp(-np.einsum("...i,...i->...", by, off[plate]) / slope)
    flag = np.where(read < low, "below", np.where(read > high, "above", ""))
    return np.clip(read, low, high) * assay.dilution, flag


def imprecision(concentration: ArrayLike, assay: Assay) -> Array:
    """The CV of a single well over many plates: well, background, plate and standard curve."""
    x = np.asarray(concentration, dtype=float) * assay.laboratory / assay.dilution
    by, slope = _sensitivity(assay, x)
    curve = np.einsum("...i,ij,...j->...", by, _covariance(assay), by)
    variance = (_noise(assay, x) ** 2 + curve) / slope**2 + np.log1p(assay.plate_cv**2)
    return np.asarray(np.sqrt(np.expm1(variance)))


def simulate(
    true: ArrayLike, assays: Sequence[Assay], seed: Seed, plate: int = 0, samples_of: int = 1
) -> Plate:
    """A plate as its reader would give it: standards, blanks, and true (sample x analyte).

    Sample k is named Sk and fills `samples_of` wells. All assays have as many standards and
    replicates as the first, and its dilution.
    """
    true, first = np.atleast_2d(np.asarray(true, dtype=float)), assays[0]
    held = [np.append(assay.standards, 0.0) for assay in assays]
    names = [*(f"Standard{k}" for k in range(1, len(first.standards) + 1)), "Background0"]
    names = names * first.replicates + [f"S{k}" for k in range(1, len(true) + 1)] * samples_of
    kinds = ["standard"] * len(first.standards) + ["blank"]
    wells = pd.DataFrame({"well": [f"{'ABCDEFGH'[k % 8]}{k // 8 + 1}" for k in range(len(names))]})
    of_samples = len(true) * samples_of
    wells["kind"] = kinds * first.replicates + ["sample"] * of_samples
    wells["sample"] = names
    wells["dilution"] = np.where(wells.kind == "sample", first.dilution, 1.0)
    signals, expected = {}, {}
    for k, assay in enumerate(assays):
        keys = [*_keys(seed), k]
        scale = assay.laboratory / assay.dilution * _scales(assay, plate + 1, keys)[plate]
        standards, own = np.tile(held[k], assay.replicates), np.tile(true[:, k], samples_of)
        chance = np.random.default_rng([*keys, WELL, plate])
        signals[assay.analyte] = _signals(assay, np.append(standards, own * scale), chance)
        expected[assay.analyte] = np.append(standards, np.full(of_samples, np.nan))
    units = {assay.analyte: assay.unit for assay in assays}
    tables = pd.DataFrame(signals), pd.DataFrame(expected)
    return Plate(f"plate {plate}", wells, *tables, None, units)


def _keys(seed: Seed) -> list[int]:
    return [seed] if isinstance(seed, int) else list(seed)


def _scales(assay: Assay, count: int, seed: Seed) -> Array:
    """The factor of each plate, its median 1."""
    drawn = np.random.default_rng([*_keys(seed), PLATE]).standard_normal(count)
    return np.asarray(np.exp(np.sqrt(np.log1p(assay.plate_cv**2)) * drawn))


def _signals(assay: Assay, x: Array, chance: np.random.Generator) -> Array:
    """What the reader gives for wells that hold x."""
    well, background = (chance.standard_normal(x.shape) for _ in range(2))
    expected = log_signal(x, assay.parameters)
    if assay.hook is not None:
        expected = expected - np.log1p(x / assay.hook)
    noise = np.sqrt(np.log1p(assay.well_cv**2)) * well
    return np.asarray(np.exp(expected + noise) + assay.background_sd * background)


def _noise(assay: Assay, x: Array) -> Array:
    """The standard deviation of a well's log signal."""
    background = assay.background_sd * np.exp(-log_signal(x, assay.parameters))
    return np.asarray(np.sqrt(np.log1p(assay.well_cv**2) + background**2))


def _sensitivity(assay: Assay, x: Array) -> tuple[Array, Array]:
    """The derivatives of the log signal by the parameters that are fitted, and by ln x."""
    by = slopes(x, assay.parameters)
    return by[..., FOUR if assay.asymmetry == 1 else FIVE], -by[..., 2]


def _covariance(assay: Assay) -> Array:
    """Of the parameters of a curve that is fitted to one plate's standards and blanks."""
    x = np.tile(np.append(assay.standards, 0.0), assay.replicates)
    by, _ = _sensitivity(assay, x)
    inverted = np.linalg.inv(by.T @ by)
    middle = (by * _noise(assay, x)[:, None] ** 2).T @ by
    return np.asarray(inverted @ middle @ inverted)
