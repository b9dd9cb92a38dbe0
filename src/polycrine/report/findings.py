"""What a report says of a run: levels beside health and measured people, and one sentence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from polycrine.catalogue.library import catalogue
from polycrine.model.model import Give, Model, Panel
from polycrine.model.yamlfile import read_model
from polycrine.readouts.timing import summary
from polycrine.results.run import Run
from polycrine.scenarios.library import DATA, measured
from polycrine.units import express, quantity

Floats = NDArray[np.float64]
STIMULI = ("bacterial product", "danger signal")
SOURCES = ("made", "given", "at start")
QUARTILES = ["median", "lower", "upper"]
AFTER_DOSE_H = 12.0
MOVED = 1.5
NAMED = 5


@dataclass(frozen=True)
class Findings:
    """A run with its declaration; its first sample is described, the others are compared."""

    run: Run
    model: Model

    @property
    def first(self) -> str:
        """The sample that is described and that others are compared with."""
        return self.run.samples[0]

    @property
    def place(self) -> str:
        """The fluid whose panel is shown: the body's plasma if it was observed."""
        places = [wish.panel for wish in self.model.observe if isinstance(wish, Panel)]
        return next((name for name in places if name == self.model.plasma), "".join(places[:1]))

    @cached_property
    def panel(self) -> pd.DataFrame:
        """The panel of that fluid."""
        table = self.run.panel()
        return table[table.place == self.place]

    @cached_property
    def both_sides(self) -> bool:
        """Whether the panel holds pro- and anti-inflammatory molecules."""
        return {"pro", "anti"} <= {catalogue().molecules[name].balance for name in self.analytes}

    @property
    def analytes(self) -> list[str]:
        """What the panel measures."""
        return list(self.panel.analyte.unique())

    @cached_property
    def timing(self) -> pd.DataFrame:
        """Peak, time of peak, area and half-life of every sample and analyte."""
        return summary(self.panel)

    @property
    def end_h(self) -> float:
        """The end of the run in hours."""
        return float(self.run.states.time.values[-1]) / 60

    def curve(self, sample: str, analyte: str) -> tuple[Floats, Floats]:
        """Hours and levels of one analyte."""
        rows = self.panel[(self.panel["sample"] == sample) & (self.panel.analyte == analyte)]
        return rows.time_h.to_numpy(dtype=float), rows.value.to_numpy(dtype=float)

    def doses(self, sample: str) -> list[Give]:
        """What a sample is given."""
        arm = sample if sample in self.model.arms else None
        return [event for event in self.model.with_arm(arm).events if isinstance(event, Give)]

    def window_h(self, samples: list[str]) -> float:
        """Hours that show what follows the last dose of these samples."""
        doses = [dose for sample in samples for dose in self.doses(sample)]
        return min(self.end_h, AFTER_DOSE_H + max(map(_last_h, doses), default=0.0))

    def moved(self, samples: list[str], hours: float) -> list[str]:
        """Analytes, stimuli apart, that change by half or more within the hours in any sample."""
        return [name for name in self.analytes
                if catalogue().molecules[name].kind not in STIMULI
                and any(self._moves(sample, name, hours) for sample in samples)]  # fmt: skip

    def _moves(self, sample: str, analyte: str, hours: float) -> bool:
        time, level = self.curve(sample, analyte)
        seen = np.maximum(level[time <= hours], detection(analyte))
        return bool(seen.max() >= MOVED * seen.min() and seen.max() > 0)

    @cached_property
    def measured(self) -> pd.DataFrame:
        """Measured analyte, point, hour, median, lower, upper (quartiles), in the panel's units.

        point is `level`, `peak` or `peak time`. Empty for an arm: people were measured without.
        """
        columns = ["analyte", "point", "hour", *QUARTILES]
        if self.model.measured is None or self.first in self.model.arms:
            return pd.DataFrame(columns=columns)
        table = measured(self.model.measured)
        table = table[table.analyte.isin(self.analytes)]
        hour = pd.to_numeric(table.time_h, errors="coerce")
        factor = [1.0 if unit == "h" else in_panel_unit(1.0, unit, analyte)
                  for analyte, unit in zip(table.analyte, table.unit, strict=True)]  # fmt: skip
        levels = table[QUARTILES].mul(factor, axis=0)
        point = table.time_h.where(hour.isna(), "level")
        return table.assign(point=point, hour=hour, **levels)[columns]

    @property
    def provenance(self) -> str:
        """What the table of measured levels says of itself."""
        if self.measured.empty:
            return ""
        lines = (DATA / f"{self.model.measured}.csv").read_text("utf-8").splitlines()
        return " ".join(line.lstrip("# ") for line in lines if line.startswith("#"))

    @cached_property
    def compared(self) -> pd.DataFrame:
        """Measured levels within the run's time, with the run's own level, ratio and inside."""
        rows = self.measured[self.measured.point == "level"]
        rows = rows[rows.hour <= self.end_h]
        run = np.array([np.interp(row.hour, *self.curve(self.first, row.analyte))
                        for row in rows.itertuples()])  # fmt: skip
        inside = (run >= rows.lower) & (run <= rows.upper)
        return rows.assign(run=run, ratio=run / rows["median"].astype(float), inside=inside)

    def compared_until(self, hours: float, analyte: str) -> pd.DataFrame:
        """The measured levels of one analyte up to an hour."""
        return self.compared[(self.compared.analyte == analyte) & (self.compared.hour <= hours)]

    @cached_property
    def peaks(self) -> pd.DataFrame:
        """Timing of each analyte beside its measured peak; no ratio where the run ends too soon."""
        timing = self.timing[self.timing["sample"] == self.first].set_index("analyte")
        for point, name in (("peak", "measured"), ("peak time", "measured_h")):
            rows = self.measured[self.measured.point == point].set_index("analyte")
            for column in QUARTILES:
                timing[f"{name}_{column}"] = rows[column].reindex(timing.index).astype(float)
        ratio = (timing.peak / timing.measured_median).where(timing.peak_h < self.end_h)
        return timing.assign(ratio=ratio)

    def headline(self) -> str:
        """One sentence: what peaks when, and how far measured medians are."""
        if self.panel.empty:
            return "No panel was observed in this run."
        peaks = self.peaks
        named = peaks.measured_median.notna()
        if not named.any():
            named = pd.Series(peaks.index.isin(self.model.cytokines), peaks.index)
        rose = peaks[named & (peaks.peak >= 2 * peaks.base) & (peaks.peak > 0)]
        rose = rose.sort_values("peak_h", kind="stable")
        done, rising = rose[rose.peak_h < self.end_h], rose[rose.peak_h == self.end_h]
        parts = [_peaking(done[:NAMED]), _highest_last(rising, self.end_h), self._by_levels()]
        text = "; ".join(filter(None, parts)) or f"no cytokine doubles within {self.end_h:.3g} h"
        if "within a factor" in text:
            fitted = int((self.run.numbers().origin == "fitted").sum())
            text += f" ({fitted} of the run's numbers were fitted)"
        doses = listed([_dose_text(dose) for dose in self.doses(self.first)])
        arm = f" ({self.first})" if self.first in self.model.arms else ""
        return f"{f'After {doses}' if doses else 'Without any dose'}{arm}, {text}."

    def _by_levels(self) -> str:
        if self.compared.empty or self.peaks.measured_median.notna().any():
            return ""
        names = listed([display(name) for name in self.compared.analyte.unique()])
        return f"measured levels of {names} are met {_within(self.compared.ratio)}"


def read_findings(run: Run) -> Findings:
    """The findings of a run, with its declaration read from the stored text."""
    return Findings(run, read_model(run.model_text, "model.resolved.yaml"))


def in_panel_unit(value: float, unit: str, analyte: str) -> float:
    """A level in the unit in which the panel shows this analyte."""
    form = catalogue().active_form(analyte)
    molar = quantity(f"{value:.12g} {unit}", "concentration", form)
    return express(molar, catalogue().molecules[analyte].panel_unit, form)


def healthy_range(analyte: str) -> tuple[float, float] | None:
    """Lower and upper healthy plasma level in the panel's unit, where both are known."""
    number = catalogue().molecules[analyte].healthy_plasma
    if not number.low or not number.high:
        return None
    return (in_panel_unit(number.low, number.unit, analyte),
            in_panel_unit(number.high, number.unit, analyte))  # fmt: skip


def detection(analyte: str) -> float:
    """The assay's detection limit in the panel's unit, zero where none is known."""
    limit = catalogue().molecules[analyte].detection
    if limit is None or limit.value == "unknown":
        return 0.0
    return in_panel_unit(limit.value, limit.unit, analyte)


def display(analyte: str) -> str:
    """The name that people use."""
    return catalogue().molecules[analyte].name if analyte in catalogue().molecules else analyte


def plain(value: float) -> str:
    """A number with three significant digits, as a person writes it."""
    if not math.isfinite(value):
        return "–"
    if value != 0 and not 1e-3 <= abs(value) < 1e9:
        return f"{value:.2e}"
    return f"{float(f'{value:.3g}'):,.10g}"


def micro(unit: str) -> str:
    """A unit with its Greek letter."""
    return f"µ{unit[1:]}" if unit.startswith("u") else unit


def listed(words: list[str]) -> str:
    """Words joined by commas and a final `and`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def _within(ratios: pd.Series) -> str:
    """The largest factor between run and measurement, rounded up so that it holds."""
    worst = float(np.exp(np.abs(np.log(ratios.astype(float))).max()))
    return f"within a factor {math.ceil(worst * 10) / 10:,.3g}"


def _peaking(rows: pd.DataFrame) -> str:
    words = [f"{display(row.Index)} at {plain(row.peak)} {micro(row.unit)} at {row.peak_h:.1f} h"
             for row in rows.itertuples()]  # fmt: skip
    text = listed(words).replace(" at", " peaks at", 1)
    if rows.empty or rows.ratio.isna().any():
        return text
    each = "" if len(rows) == 1 else "both " if len(rows) == 2 else "each "
    return f"{text}, {each}{_within(rows.ratio)} of the median that was measured"


def _highest_last(rows: pd.DataFrame, end_h: float) -> str:
    names = listed([display(name) for name in rows.index])
    verb = "is" if len(rows) == 1 else "are"
    return f"{names} {verb} highest when the run ends, at {end_h:.3g} h" if names else ""


def _dose_text(dose: Give) -> str:
    text = f"{dose.dose or dose.concentration} {display(dose.give)}"
    text += f" over {dose.over}" if dose.over else ""
    text += f" every {dose.every}, {dose.times} times" if dose.every else ""
    return text if quantity(dose.at, "duration") == 0 else f"{text} at {dose.at}"


def _last_h(dose: Give) -> float:
    every = quantity(dose.every, "duration") if dose.every else 0.0
    return (quantity(dose.at, "duration") + every * (dose.times - 1)) / 60
