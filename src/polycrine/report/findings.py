"""What a report says of a run: its panel, its peaks beside measured ones, and one sentence."""

import math
from dataclasses import dataclass

import pandas as pd

from polycrine.catalogue.library import catalogue
from polycrine.model.model import Give, Model
from polycrine.model.yamlfile import read_model
from polycrine.readouts.comparison import beside_measured
from polycrine.readouts.panel import detection_limit
from polycrine.readouts.timing import summary
from polycrine.results.run import Run
from polycrine.scenarios.library import measured
from polycrine.units import express, quantity

STIMULI = ("bacterial product", "danger signal")
MOVED = 1.5
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Findings:
    """A run and what it shows.

    first: the sample that is described and that others are compared with; panel: that of `place`,
    the plasma if it was observed; peaks: timing of all samples by analyte, the first beside
    measured peaks; measured: levels with their `hour`, none when the first sample is an arm, for
    people were measured without.
    """

    run: Run
    model: Model
    first: str
    place: str
    panel: pd.DataFrame
    end_h: float
    peaks: pd.DataFrame
    measured: pd.DataFrame

    def moved(self, samples: list[str], hours: float) -> list[str]:
        """Analytes, stimuli apart, with a 1.5-fold span over these samples and hours."""
        rows = self.panel[self.panel["sample"].isin(samples) & (self.panel.time_h <= hours)]
        span = rows.groupby("analyte", sort=False).value.agg(["min", "max"]).astype(float)
        return [
            analyte
            for analyte, low, high in span.itertuples()
            if catalogue().molecules[analyte].kind not in STIMULI
            and high >= MOVED * max(low, detection_limit(analyte))
        ]

    def headline(self) -> str:
        """One sentence: what peaks when, and how far from measured medians."""
        events = self.model.with_arm(self.first if self.first in self.model.arms else None).events
        doses = listed([_dose_text(event) for event in events if isinstance(event, Give)])
        said = "no panel was observed" if self.panel.empty else self._peaking()
        return f"After {doses or 'no dose'} ({self.first}), {said}."

    def _peaking(self) -> str:
        rows = self.peaks[self.peaks["sample"] == self.first].sort_values("peak_h")
        rows = rows[rows.index.isin(self.model.cytokines) & (rows.peak >= 2 * rows.base)]
        rows = rows[(rows.peak > 0) & (rows.peak_h < self.end_h)]
        compared = rows[rows.ratio.notna()]
        words = [
            f"{display(row.Index)} at {row.peak_h:.1f} h ({plain(row.peak)} {row.unit})"
            for row in (rows if compared.empty else compared).itertuples()
        ]
        if not words:
            return f"no cytokine doubles and passes its peak within {plain(self.end_h)} h"
        text = listed(words).replace(" at", " peaks at", 1)
        if compared.empty:
            return text
        factor = math.ceil(10 * max(max(ratio, 1 / ratio) for ratio in compared.ratio)) / 10
        fitted = int((self.run.numbers().origin == "fitted").sum())
        return (
            f"{text}: {'each height' if len(words) > 1 else 'a height'} within a factor"
            f" {plain(factor)} of the measured median ({fitted} of the run's numbers were fitted)"
        )


def read_findings(run: Run) -> Findings:
    """The findings of a run, with its declaration read from the stored text."""
    model, first = read_model(run.model_text, "model.resolved.yaml"), run.samples[0]
    end_h = float(run.states.time.values[-1]) / 60
    table = run.panel()
    place = "".join(sorted(table.place.unique(), key=lambda place: place != model.plasma)[:1])
    panel = table[table.place == place]
    data = measured(model.measured) if model.measured and first not in model.arms else None
    peaks = pd.DataFrame(columns=["sample", "base", "peak"])
    levels = pd.DataFrame(columns=["analyte", "hour"])
    if len(panel):
        peaks = summary(panel).merge(beside_measured(panel, data), "left").set_index("analyte")
        peaks["ratio"] = peaks.ratio.where(peaks.peak_h < end_h)
    if data is not None:
        levels = data.assign(hour=pd.to_numeric(data.time_h, errors="coerce"))
    return Findings(run, model, first, place, panel, end_h, peaks, levels)


def healthy_range(analyte: str) -> tuple[float, float] | None:
    """Lower and upper healthy plasma level in the panel's unit, where both are above zero."""
    molecule, form = catalogue().molecules[analyte], catalogue().active_form(analyte)
    number = molecule.healthy_plasma
    if not number.low or not number.high:
        return None
    factor = express(quantity(f"1 {number.unit}", "concentration", form), molecule.panel_unit, form)
    return number.low * factor, number.high * factor


def display(analyte: str) -> str:
    """The name that people use."""
    return catalogue().molecules[analyte].name if analyte in catalogue().molecules else analyte


def plain(value: float) -> str:
    """A number with three significant digits, as a person writes it."""
    if not math.isfinite(value):
        return "–"
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{float(f'{value:.3g}'):,.10g}"
    digits, exponent = f"{value:.2e}".split("e")
    return f"{float(digits):g}×10{str(int(exponent)).translate(SUPERSCRIPT)}"


def listed(words: list[str]) -> str:
    """Words joined by commas and a final `and`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _dose_text(dose: Give) -> str:
    repeats = f", {dose.times} times every {dose.every}" if dose.every else ""
    return f"{dose.dose or dose.concentration} {display(dose.give)} at {dose.at}{repeats}"
