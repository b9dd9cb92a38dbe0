"""Print what the scenarios predict: peaks, secretion, arms, ledger, doses and whole blood.

What was fitted, and with which residuals, is printed by `fit_endotoxemia.py`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

import polycrine as pc
from polycrine.catalogue.library import catalogue
from polycrine.readouts.timing import summary
from polycrine.units import express

UNTREATED = "untreated"


def level(run: pc.Run, analyte: str, sample: str = UNTREATED) -> pd.Series:
    """Level by time (h), in the unit of the analyte's panel."""
    panel = run.panel()
    chosen = (panel.analyte == analyte) & (panel["sample"] == sample)
    return panel[chosen].set_index("time_h").value


def print_peaks(run: pc.Run) -> None:
    """Heights, times, and the share of the rise that is left at 6 h."""
    for analyte in ("TNF", "IL6", "CXCL8", "IL10", "IL1RN"):
        curve = level(run, analyte)
        left = (curve.loc[6] - curve.loc[0]) / (curve.max() - curve.loc[0])
        print(f"{analyte}: {curve.max():.4g} at {curve.idxmax():.2f} h, {left:.1%} left at 6 h")


def print_secretion(run: pc.Run) -> None:
    """The fastest that one cell secretes, and the TNF that all monocytes make."""
    numbers = run.numbers().set_index("path").value
    states = run.states.value.sel(sample=UNTREATED)
    for cell, product in (
        ("monocyte", "TNF"),
        ("monocyte", "IL10"),
        ("endothelium", "IL6"),
        ("endothelium", "CXCL8"),
    ):
        inside = states.sel(species=f"{cell}.{product}_inside").max().item()
        rate = np.log(2) * inside / (60 * numbers[f"{cell}.products.{product}.transit"])
        print(f"{cell} secretes at most {rate:.3g} {product}/s")
    made = run.ledger().set_index(["sample", "molecule", "process"]).pmol
    pmol = made[UNTREATED, "TNF", "made by monocyte"]
    grams = express(pmol, "ug/L", catalogue().active_form("TNF"))
    print(f"monocytes make {grams:.3g} ug of TNF")


def print_arms(run: pc.Run) -> None:
    """Each arm over the untreated one, and how far the ledger is from closing."""
    table = summary(run.panel()).set_index(["sample", "analyte"])
    for arm in run.samples[1:]:
        peaks, areas = (table[name][arm] / table[name][UNTREATED] for name in ("peak", "auc"))
        said = [f"{a} x{peaks[a]:.3g} (AUC x{areas[a]:.3g})" for a in ("TNF", "IL1B", "IL6", "CRP")]
        print(f"{arm}: {', '.join(said)}")
    signal = run.states.value.sel(species="endothelium.IL1R1_IL1B", time=slice(60, 360)).max("time")
    ratio = (signal.sel(sample="anakinra") / signal.sel(sample=UNTREATED)).item()
    print(f"anakinra: IL-1 signalling from 1 to 6 h x{ratio:.2g}")
    second = level(run, "TNF", "repeat dose").loc[24.2:].max()
    print(f"repeat dose: TNF {second:.4g} after the second")
    ledger = run.ledger()
    print(f"ledger: error {ledger[ledger.process == 'error'].share.max():.2g} of the turnover")


def print_doses() -> None:
    """TNF and IL-6 of people at five doses, and of whole blood at five concentrations."""
    for dose in ("0.3", "0.5", "1", "2", "4"):
        setting = f"events.LPS.dose={dose} ng/kg"
        run = pc.run(pc.load("endotoxemia", [setting]), duration="12 h")
        print(f"{setting}: TNF {level(run, 'TNF').max():.4g}, IL6 {level(run, 'IL6').max():.4g}")
    for amount in ("5", "20", "100", "1000", "10000"):
        setting = f"events.LPS.concentration={amount} pg/mL"
        run = pc.run(pc.load("whole-blood", [setting]), duration="4 h")
        at_4_h = [level(run, analyte).loc[4] for analyte in ("TNF", "IL6")]
        print(f"{setting}: TNF {at_4_h[0]:.4g}, IL6 {at_4_h[1]:.4g} at 4 h")


if __name__ == "__main__":
    every_arm = pc.run(pc.load("endotoxemia"), "all")
    print_peaks(every_arm)
    print_secretion(every_arm)
    print_arms(every_arm)
    print_doses()
