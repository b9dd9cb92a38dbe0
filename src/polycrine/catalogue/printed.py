"""Numbers as their sources print them: `~20 to 90 pmol/L`, `2.3 ± 0.1 nM`, `1.7 x 10-9 M`."""

import re
from typing import NamedTuple

from polycrine.catalogue.entries import Report
from polycrine.errors import UnitError
from polycrine.units import convert, value_and_unit

POWER = r"(?:[xX×]?\s*10\s*\^?\(?(-?\d+)\)?)"
NUMBER = rf"(?:(\d[\d,]*\.?\d*|\.\d+)(?:\s*[xX×]\s*{POWER})?)"
SPREAD = rf"(?:\s*(?:±|\+\s*/?\s*-)\s*{NUMBER})?"
SPAN = rf"(?:\s*(?:to|and|-|~)\s*~?{NUMBER}{SPREAD})?"
RANGE = rf"(?:\s*[\[(](?:range |SD ?)?{NUMBER}(?:\s*(?:to|-)\s*{NUMBER})?[\])])?"
ABOUT = r"(?:about|around|approximately|[~≈=\s])*"
PRINTED = re.compile(rf"{ABOUT}{NUMBER}{SPREAD}{SPAN}{RANGE}\s*(.*)", re.IGNORECASE)
SAME = {"−": "-", "–": "-", "—": "-", "‐": "-", "∼": "~", "µ": "u", "μ": "u", "\u00a0": " "}  # noqa: RUF001
MOLAR = r"(p|n|u|m|mu|pico|nano|micro)?(?:M|molar|mol ?(?:/ ?[lL](?:iter)?|[lL]-1))"
PREFIX = {"mu": "u", "pico": "p", "nano": "n", "micro": "u"}
MILLION, EACH = r"(?:/|from|per) ?(?:a million|10\^?\(?6\)?)", r"(?:/ ?|per )cell"
UNITS = {
    r"h|hr|hrs|hours?": "h",
    r"min|mins|minutes?": "min",
    r"s|sec|seconds?": "s",
    r"d|days?": "day",
    r"(?:min-1|min\(-1\)|/min|per minute)": "/min",
    r"(?:s-1|s\(-1\)|sec-1|/s|1/s|per second)": "/s",
    r"(?:M-1 s-1|M-1 s\(-1\)|M-1 sec-1|/M/s|1/M/s)": "/M/s",
    r"fg ?/ml": "fg/mL",
    r"pg ?(?:/ml|ml-1)": "pg/mL",
    r"ng ?(?:/ml|ml-1)": "ng/mL",
    r"ug ?(?:/ml|ml-1)": "ug/mL",
    r"ng/l": "ng/L",
    r"ug/l": "ug/L",
    r"ml ?/min(?:ute)?|ml min-1": "mL/min",
    r"l[./]h(?:-1)?": "L/h",
    r"ml/min(?:ute)?/kg|ml min-1 kg-1": "mL/min/kg",
    r"ml/(?:kg/hr?|hr?/kg)": "mL/h/kg",
    r"l/hr?[-/]kg": "L/h/kg",
    r"(?:[\w-]+ )*(?:sites?|receptors?|molecules)(?:\s?/\s?cell| per cell| per \w+|"
    r" \(bound per cell\)| bound per cell)?|per (?:red )?cell|/cell": "molecules",
    rf"ng.*? ?{MILLION}.*": "fg",  # per cell
    rf"pg.*? ?{MILLION}.*": "ag",
    rf"fg.*? ?{EACH}": "fg",
    rf"pg.*? ?{EACH}": "pg",
    r"kda|kd": "kDa",
    r"da": "Da",
}


class Printed(NamedTuple):
    """What was printed: one value, or the lower and upper end of what is given as a span."""

    low: float
    high: float
    unit: str


def read_printed(text: str) -> Printed:
    """What a source prints, with its unit as we write it; raises UnitError where it is unclear, and
    for a bound (`< 3 nM`), which is no value."""
    for odd, plain in SAME.items():
        text = text.replace(odd, plain)
    found = PRINTED.fullmatch(text.strip())
    if found is None:
        raise UnitError(f"'{text}' is no number with a unit")
    first, power, _, spread_power, second, power_2, *_, unit = found.groups()
    low = _value(first, power or spread_power or (power_2 if second else None))
    high = _value(second, power_2 or power) if second else low
    return Printed(min(low, high), max(low, high), read_unit(unit))


def converted(report: Report) -> tuple[float, float]:
    """Lower and upper end of what a report has printed, in its unit; raises UnitError."""
    low, high, unit = read_printed(report.printed)
    if report.quantity != "secretion":
        return convert(low, unit, report.unit), convert(high, unit, report.unit)
    over = convert(*value_and_unit(report.over), "h") if report.over else 1.0
    if report.cells:
        over *= convert(*value_and_unit(report.cells), "cells/mL")
        return convert(low, unit, "fg/mL") / over, convert(high, unit, "fg/mL") / over
    return convert(low, unit, "fg") / over, convert(high, unit, "fg") / over


def _value(digits: str, power: str | None) -> float:
    return float(digits.replace(",", "")) * 10.0 ** int(power or 0)


def read_unit(text: str) -> str:
    """A unit as we write it."""
    text = re.sub(r"\s+", " ", text).strip()
    molar = re.fullmatch(MOLAR, text)
    if molar:
        return PREFIX.get(molar[1] or "", molar[1] or "") + "M"
    for pattern, unit in UNITS.items():
        if re.fullmatch(pattern, text, re.IGNORECASE):
            return unit
    raise UnitError(f"'{text}' is no unit that is known here")
