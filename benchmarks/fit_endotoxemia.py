"""Fit the secretion per cell of four cytokines, and print each value with its residuals.

Data: the medians of each person's peak (scenario `endotoxemia`, 20 people, 2 ng/kg) and TNF of
whole blood at 3 h (scenario `whole-blood`, 10 ng/mL). Least squares of the logarithms of
predicted over measured. Nothing else of a run is used: not the times, the order, the arms, nor
other doses. The values are then written into the programs by hand.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares

import polycrine as pc
from polycrine.readouts.timing import summary
from polycrine.scenarios.library import measured

FITTED = {
    "TNF": "monocyte.products.TNF.secretion",
    "IL6": "endothelium.products.IL6.secretion",
    "CXCL8": "endothelium.products.CXCL8.secretion",
    "IL10": "monocyte.products.IL10.secretion",
}


def predicted(values: dict[str, float]) -> dict[str, float]:
    """Peaks of the bolus (pg/mL) and TNF of whole blood at 3 h, for secretions per second."""
    settings = [f"numbers.{FITTED[a]}={v} molecules/s" for a, v in values.items()]
    bolus = pc.run(pc.load("endotoxemia", settings), duration="12 h")
    peaks = summary(bolus.panel()).set_index("analyte").peak
    settings = [s for s in settings if "monocyte" in s]
    well = pc.run(pc.load("whole-blood", settings), duration="4 h").panel()
    at_3_h = well[(well.analyte == "TNF") & (well.time_h == 3)].value.iloc[0]
    return {**{a: float(peaks[a]) for a in FITTED}, "TNF in whole blood": float(at_3_h)}


def targets() -> dict[str, float]:
    """The measured medians."""
    bolus = measured("endotoxemia-bolus")
    peaks = bolus[bolus.time_h == "peak"].set_index("analyte")["median"]
    whole_blood = measured("whole-blood").set_index("analyte")["median"]
    return {**{a: float(peaks[a]) for a in FITTED}, "TNF in whole blood": float(whole_blood["TNF"])}


def fit(start: dict[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """The fitted secretions (molecules/s per cell) and predicted over measured at the optimum."""
    goal = targets()

    def residuals(logs: np.ndarray) -> np.ndarray:
        got = predicted(dict(zip(start, np.exp(logs), strict=True)))
        return np.array([np.log(got[name] / goal[name]) for name in goal])

    found = least_squares(residuals, np.log(list(start.values())), x_scale=0.1, xtol=1e-4)
    values = dict(zip(start, np.exp(found.x).tolist(), strict=True))
    got = predicted(values)
    return values, {name: got[name] / goal[name] for name in goal}


if __name__ == "__main__":
    secretions, ratios = fit({"TNF": 40.0, "IL6": 0.6, "CXCL8": 1.9, "IL10": 2.9})
    for analyte, value in secretions.items():
        print(f"{FITTED[analyte]}: {value:.4g} molecules/s")
    for name, ratio in ratios.items():
        print(f"{name}: predicted / measured = {ratio:.3f}")
