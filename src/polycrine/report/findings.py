"""What a report says of a run: its panel, its peaks beside measured ones, and one sentence."""

import math
from dataclasses import dataclass

import pandas as pd

from polycrine.catalogue.library import catalogue
from polycrine.model.model import Model
from polycrine.model.yamlfile import read_model
from polycrine.readouts.comparison import beside_measured
from polycrine.readouts.panel import detection_limit
from polycrine.readouts.timing import summary
from polycrine.results.run import Run
from polycrine.scenarios.library import measured_beside

STIMULI = ("bacterial product", "danger signal")
MOVED = 1.5
TIMING = ["sample", "analyte", "unit", "base", "peak", "peak_h", "auc", "half_life_h"]


@dataclass(frozen=True)
class Findings:
    """A run, its first sample, the panel of one place, and levels measured without any arm."""

    run: Run
    model: Model
    first: str
    end_h: float
    place: str
    panel: pd.DataFrame
    peaks: pd.DataFrame
    measured: pd.DataFrame

    def headline(self) -> str:
        """What peaks when, how far measured medians are, and how many numbers were fitted."""
        rows = self.peaks[self.peaks["sample"] == self.first].sort_values("peak_h")
        rows = rows[rows.analyte.isin(self.model.cytokines) & (rows.peak > 0)]
        rows = rows[(rows.peak >= 2 * rows.base) & (rows.peak_h < self.end_h)]
        peaks = [
            f"{display(row.analyte)} at {row.peak_h:.1f} h ({plain(row.peak)} {row.unit})"
            for row in rows.itertuples()
        ]
        said = listed(peaks).replace(" at", " peaks at", 1)
        said = said or f"no cytokine was seen to double and pass its peak in {plain(self.end_h)} h"
        known = rows.ratio.dropna()
        if len(known):
            factor = math.ceil(10 * max(known.max(), 1 / known.min())) / 10
            said += f"; the measured medians, known for {len(known)} of these heights,"
            said += f" lie within a factor {plain(factor)}"
        fitted = (self.run.numbers().origin == "fitted").sum()
        who = self.first[:1].upper() + self.first[1:]
        return f"{who}: {said}; {fitted} of the run's numbers were fitted."


def read_findings(run: Run) -> Findings:
    """The findings of a run, with its declaration read from the stored text."""
    model, first = read_model(run.model_text, "model.resolved.yaml"), run.samples[0]
    end_h = float(run.states.time.values[-1]) / 60
    places = sorted(run.panel().place.unique(), key=lambda place: place != model.plasma)
    place = places[0] if places else ""
    panel = run.panel()[run.panel().place == place]
    data = measured_beside(model, first)
    peaks = summary(panel).reindex(columns=TIMING).merge(beside_measured(panel, data), "left")
    levels = pd.DataFrame(columns=["analyte", "time_h"]) if data is None else data
    levels = levels.assign(time_h=pd.to_numeric(levels.time_h, errors="coerce"))
    return Findings(run, model, first, end_h, place, panel, peaks, levels)


def moving(panel: pd.DataFrame) -> pd.DataFrame:
    """The rows of analytes, stimuli apart, whose levels span 1.5-fold."""
    kept = []
    for analyte, levels in panel.groupby("analyte").value:
        stimulus = catalogue().molecules[analyte].kind in STIMULI
        least = MOVED * max(levels.min(), detection_limit(analyte))
        if levels.max() >= least and not stimulus:
            kept.append(analyte)
    return panel[panel.analyte.isin(kept)]


def display(analyte: str) -> str:
    """The name that people use."""
    return catalogue().molecules[analyte].name if analyte in catalogue().molecules else analyte


def plain(value: float) -> str:
    """A number with three significant digits, as a person writes it."""
    if not math.isfinite(value):
        return "–"
    usual = value == 0 or 1e-3 <= abs(value) < 1e6
    return f"{float(f'{value:.3g}'):,.10g}" if usual else f"{value:.2e}"


def listed(words: list[str]) -> str:
    """Words joined by commas and a final `and`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
