"""Text quantities with units at the border, plain floats in internal units inside.

Internal units are min, L, pM, pmol (= pM x L) and molecules per cell. A pM and a molecule always
mean the *active form* (TNF trimer, IL-10 dimer): masses convert through the monomer's mass and
the number of subunits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

from polycrine.errors import UnitError

MOLECULES_PER_PMOL = 6.02214076e11


@dataclass(frozen=True)
class ActiveForm:
    """What a mass or an activity of a molecule means in moles of the form that signals.

    monomer_kda: mass of one mature subunit; subunits: how many make the active form;
    units_per_ng: international units (endotoxin units) in one nanogram, where they are defined.
    """

    name: str
    monomer_kda: float
    subunits: int = 1
    units_per_ng: float | None = None

    @property
    def kda(self) -> float:
        """Mass of the active form in kDa, which is also its mass in ng per pmol."""
        return self.monomer_kda * self.subunits


@dataclass(frozen=True)
class Kind:
    """A dimension by its everyday name: the internal unit and an example to write."""

    unit: str
    example: str


KINDS = {
    "duration": Kind("min", "24 h"),
    "length": Kind("um", "10 um"),
    "volume": Kind("L", "3 L"),
    "body mass": Kind("kg", "70 kg"),
    "molar mass": Kind("kDa", "17.4 kDa"),
    "concentration": Kind("pM", "20 pg/mL"),
    "amount": Kind("pmol", "8 mg/kg"),
    "amount rate": Kind("pmol/min", "30 ug/h"),
    "rate": Kind("1/min", "0.1 /min"),
    "association rate": Kind("1/(pM min)", "1e7 /M/s"),
    "clearance": Kind("L/min", "65 mL/kg/h"),
    "secretion": Kind("molecule/min", "10 molecules/s"),
    "molecules": Kind("molecule", "2000 molecules"),
    "cell concentration": Kind("1/L", "4e9 /L"),
    "intracellular concentration": Kind("uM", "0.05 uM"),
    "intracellular rate": Kind("uM/min", "5e-7 uM/s"),
    "second-order rate": Kind("1/(uM min)", "0.5 /uM/s"),
    "activity per mass": Kind("IU/ng", "10 IU/ng"),
    "number": Kind("", "0.5"),
}


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    registry.define("molecule = particle")
    registry.define("cell = []")
    registry.define("IU = [biological_activity] = EU")
    return registry


def quantity(
    text: str, kind: str, molecule: ActiveForm | None = None, weight_kg: float | None = None
) -> float:
    """The value of a text quantity in the internal unit of its kind.

    A concentration, amount or amount rate may be given by mass or in IU, then `molecule` says
    what that means in moles; a clearance or a dose may be given per body mass, then `weight_kg`
    is used. Raises UnitError: unreadable, not finite, or of another dimension.
    """
    registry = _registry()
    target = KINDS[kind]
    try:
        value = registry.Quantity(str(text).replace("µ", "u").replace("μ", "u"))
        value.to_base_units()
    except Exception as error:
        raise UnitError(
            f"'{text}' cannot be read as a quantity; write {_article(kind)}"
            f" such as '{target.example}'"
        ) from error
    if not math.isfinite(value.magnitude):
        raise UnitError(
            f"'{text}' is not a finite number; write {_article(kind)} such as '{target.example}'"
        )
    per_cell = 1 / registry.cell
    for attempt in (value, value * registry.cell, value * per_cell):
        for converted in _readings(attempt, kind, molecule, weight_kg, registry):
            if converted.is_compatible_with(target.unit or "dimensionless"):
                return float(converted.to(target.unit or "dimensionless").magnitude)
    raise UnitError(
        f"'{text}' is {_dimension_name(value)}; {_article(kind)} is needed here,"
        f" such as '{target.example}'{_hint(kind, value, molecule)}"
    )


def _readings(
    value: Any, kind: str, molecule: ActiveForm | None, weight_kg: float | None, registry: Any
) -> list[Any]:
    readings = [value]
    if weight_kg is not None and kind in ("amount", "amount rate", "clearance") and _per_kg(value):
        readings = [value * (weight_kg * registry.kg)]
    if kind == "molar mass":
        readings.append(value / registry.avogadro_constant)
    if molecule is not None and kind in ("concentration", "amount", "amount rate"):
        per_mass = 1 / (molecule.kda * registry.ng / registry.pmol)
        readings += [reading * per_mass for reading in readings]
        if molecule.units_per_ng is not None:
            per_unit = 1 / (molecule.units_per_ng * registry.IU / registry.ng)
            readings += [
                reading * per_unit * per_mass for reading in readings[: len(readings) // 2]
            ]
    return readings


def value_and_unit(text: str) -> tuple[float, str]:
    """The number of a text quantity and its unit as text, without conversion."""
    found = _registry().Quantity(text.replace("µ", "u").replace("μ", "u"))
    unit = "" if found.unitless else f"{found.units:~}".replace(" ", "")
    return float(found.magnitude), unit


def express(value: float, unit: str, molecule: ActiveForm) -> float:
    """A concentration in pM in the unit of a panel (mass or molar)."""
    registry = _registry()
    target = registry.Unit(unit)
    molar = value * registry.pM
    if molar.is_compatible_with(target):
        return float(molar.to(target).magnitude)
    mass = molar * (molecule.kda * registry.ng / registry.pmol)
    if mass.is_compatible_with(target):
        return float(mass.to(target).magnitude)
    raise UnitError(f"'{unit}' is not a unit of concentration for {molecule.name}; write 'pg/mL'")


def _article(kind: str) -> str:
    return ("an " if kind[0] in "aeiou" else "a ") + kind


def _dimension_name(value: Any) -> str:
    plain = {
        "": "a plain number without a unit",
        "[mass]": "a mass",
        "[biological_activity]": "a biological activity",
        "[mass] / [length] ** 3": "a mass concentration",
        "[substance] / [length] ** 3": "a molar concentration",
        "[length] ** 2": "an area",
        "[time]": "a duration",
        "[length]": "a length",
        "[length] ** 3": "a volume",
        "1 / [time]": "a rate",
        "[substance]": "an amount",
        "[length] ** 3 / [time]": "a clearance",
        "1 / [length] ** 3": "a cell concentration",
    }
    dimension = str(value.dimensionality)
    dimension = "" if dimension == "dimensionless" else dimension
    return plain.get(dimension, f"of dimension {dimension}")


def _hint(kind: str, value: Any, molecule: ActiveForm | None) -> str:
    if "biological_activity" in str(value.dimensionality) and molecule is not None:
        return f" (no activity per mass is known for {molecule.name})"
    return " (a dose per body mass needs body.weight)" if _per_kg(value) else ""


def _per_kg(value: Any) -> bool:
    """Whether a quantity is written per kilogram of body."""
    return bool(dict(value.unit_items()).get("kilogram", 0) < 0)


def same_dimension(text: str, unit: str) -> str:
    """Why a text quantity cannot replace a number in `unit` (empty when it can)."""
    registry = _registry()
    try:
        value = registry.Quantity(text.replace("µ", "u").replace("μ", "u"))
        target = registry.Quantity(f"1 {unit}")
    except Exception:
        return f"'{text}' cannot be read as a quantity; write it in {unit or 'no unit'}."
    if not math.isfinite(value.magnitude):
        return f"'{text}' is not a finite number; write it in {unit or 'no unit'}."
    per_body, per_mole = registry.kg, registry.g / registry.mol
    for factor in (1, per_body, 1 / per_body, per_mole, 1 / per_mole):
        if (value * factor).is_compatible_with(target):
            return ""
    name = _dimension_name(value)
    return f"'{text}' is {name}; a quantity in {unit or 'no unit'} is needed here."
