"""What a report says of a run: its panel, its peaks beside measured ones, and one sentence."""

import math
from dataclasses import dataclass

import pandas as pd

from polycrine.catalogue.library import catalogue
from polycrine.model.model import Model
from polycrine.model.yamlfile import read_model
from polycrine.readouts.comparison import KEY_ANALYTES, beside_measured
from polycrine.readouts.panel import detection_limit
from polycrine.readouts.timing import summary
from polycrine.results.run import Run
from polycrine.scenarios.library import measured_beside

STIMULI = ("bacterial product", "danger signal", "antigen")
MOVED, COMPARED_H = 1.5, 12.0
TIMING = ["sample", "analyte", "unit", "base", "peak", "peak_h", "auc", "half_life_h"]


@dataclass(frozen=True)
class Findings:
    """A run, its first sample, the panel of one place, and levels measured without any arm.

    place: the plasma, or where else the panel is of; tissue: the place in space, if there is one;
    beside: it, or another place whose panel was observed, or nothing.
    """

    run: Run
    model: Model
    first: str
    end_h: float
    place: str
    tissue: str
    beside: str
    panel: pd.DataFrame
    peaks: pd.DataFrame
    measured: pd.DataFrame

    @property
    def window_h(self) -> float:
        """How much of the panel is drawn: the first hours where there is something to compare."""
        return min(COMPARED_H, self.end_h) if len(self.measured) else self.end_h

    def inside(self) -> pd.DataFrame:
        """The panel of the place beside."""
        return self.run.panel()[self.run.panel().place == self.beside]

    def short(self, kind: str) -> str:
        """The name of a kind of cell where only those of the tissue are spoken of."""
        return kind.removesuffix(f" of the {self.tissue}").removesuffix(f" in {self.tissue}")

    def headline(self) -> str:
        """What peaks when, how far measured medians are, and how many numbers were fitted."""
        rows = self.peaks[self.peaks["sample"] == self.first].sort_values("peak_h")
        moved = moving(self.panel[self.panel["sample"] == self.first]).analyte
        rows = rows[rows.analyte.isin(self.model.cytokines) & rows.analyte.isin(moved)]
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
    tissue = next((key for key, own in model.places.items() if own.kind == "tissue"), "")
    beside = tissue or next(iter(places[1:]), "")
    return Findings(run, model, first, end_h, place, tissue, beside, panel, peaks, levels)


def leading(panel: pd.DataFrame, most: int = 9) -> pd.DataFrame:
    """The rows of what moves, key analytes first, then those that move most."""
    rows = moving(panel)
    span = {key: level.max() / _least(key, level) for key, level in rows.groupby("analyte").value}
    order = sorted(span, key=lambda key: (key not in KEY_ANALYTES, -span[key]))
    return rows[rows.analyte.isin(order[:most])]


def moving(panel: pd.DataFrame) -> pd.DataFrame:
    """The rows of analytes, stimuli apart, whose levels span 1.5-fold."""
    kept = []
    for analyte, levels in panel.groupby("analyte").value:
        stimulus = catalogue().molecules[analyte].kind in STIMULI
        if levels.max() >= MOVED * _least(analyte, levels) and not stimulus:
            kept.append(analyte)
    return panel[panel.analyte.isin(kept)]


def _least(analyte: str, levels: pd.Series) -> float:
    return float(max(levels.min(), detection_limit(analyte)))


def populations(run: Run) -> pd.DataFrame:
    """Everything counted whose number changes: sample, time_h, cell, value, unit."""
    seen = run.reads()[run.reads().species == "count"]
    if "count" in run.states:
        cells = run.states["count"].to_dataframe("value").reset_index()
        cells = cells[~cells.cell.isin(seen.cell)].assign(time_h=cells.time / 60, unit="cells")
        seen = pd.concat([seen, cells], ignore_index=True)
    seen = seen[["sample", "time_h", "cell", "value", "unit"]]
    return seen[seen.groupby("cell").value.transform("nunique") > 1]


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
