"""Text quantities with units at the border, plain floats in internal units inside.

Internal units are min, L, pM, pmol (= pM x L) and molecules per cell. A pM and a molecule always
mean the *active form* (TNF trimer, IL-10 dimer): masses convert through the monomer's mass and
the number of subunits.
"""

import math
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from polycrine.errors import UnitError

MOLECULES_PER_PMOL = 6.02214076e11
CUBIC_MICROMETRE = 1e-15  # L


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


# what a quantity is called, its internal unit, and an example to write
KINDS = {
    "duration": ("min", "24 h"),
    "volume": ("L", "3 L"),
    "body mass": ("kg", "70 kg"),
    "molar mass": ("kDa", "17.4 kDa"),
    "concentration": ("pM", "20 pg/mL"),
    "amount": ("pmol", "8 mg/kg"),
    "rate": ("1/min", "0.1 /min"),
    "association rate": ("1/(pM min)", "1e7 /M/s"),
    "clearance": ("L/min", "65 mL/kg/h"),
    "elimination": ("pmol/min", "7.5 mg/day"),
    "secretion": ("molecule/min", "10 molecules/s"),
    "molecules": ("molecule", "2000 molecules"),
    "crosslinking": ("molecule/pM", "9 molecules/nM"),
    "membrane rate": ("1/(molecule min)", "0.01 /molecule/min"),
    "cell concentration": ("1/L", "4e9 /L"),
    "intracellular concentration": ("uM", "0.05 uM"),
    "intracellular rate": ("uM/min", "5e-7 uM/s"),
    "second-order rate": ("1/(uM min)", "0.5 /uM/s"),
    "activity per mass": ("IU/ng", "10 IU/ng"),
    "number": ("dimensionless", "0.5"),
    "length": ("um", "10 um"),
    "area": ("um^2", "6 m^2"),
    "speed": ("um/min", "10 um/min"),
    "diffusion": ("um^2/min", "10 um^2/s"),
    "cell clearance": ("um^3/min", "2e-8 mL/min"),
    "hydraulic conductivity": ("um/(min Pa)", "2e-8 cm/s/cmH2O"),
    "flow per volume": ("1/min", "0.1 mL/min/L"),
}
DIMENSIONS = {
    "dimensionless": "a plain number without a unit",
    "[mass]": "a mass",
    "[biological_activity]": "a biological activity",
    "[mass] / [length] ** 3": "a mass concentration",
    "[substance] / [length] ** 3": "a molar concentration",
    "[length] ** 2": "an area",
    "[length] / [time]": "a speed",
    "[length] ** 2 / [time]": "a diffusion coefficient",
    "[time]": "a duration",
    "[length]": "a length",
    "[length] ** 3": "a volume",
    "1 / [time]": "a rate",
    "[substance]": "an amount",
    "[length] ** 3 / [time]": "a clearance",
    "1 / [length] ** 3": "a cell concentration",
}


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry()
    registry.define("molecule = particle")
    registry.define("cell = []")
    registry.define("IU = [biological_activity] = EU")
    return registry


def _read(text: str) -> Any:
    return _registry().Quantity(str(text).replace("µ", "u").replace("μ", "u"))


def quantity(
    text: str, kind: str, molecule: ActiveForm | None = None, weight_kg: float | None = None
) -> float:
    """The value of a text quantity in the internal unit of its kind.

    A concentration or amount may be given by mass or in IU, then `molecule` says what that means
    in moles; a clearance or a dose may be given per body mass, then `weight_kg` is used (an array
    of bodies gives an array of values).
    Raises UnitError: unreadable, not finite, or of another dimension.
    """
    value, per_body = _quantity(text, kind, molecule, weight_kg is not None)
    return value * weight_kg if per_body and weight_kg is not None else value


@cache
def _quantity(
    text: str, kind: str, molecule: ActiveForm | None, has_body: bool
) -> tuple[float, bool]:
    """The value, and whether it is that of 1 kg of body."""
    unit, example = KINDS[kind]
    wanted = f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
    try:
        value = _read(text)
        value.to_base_units()
    except Exception as error:
        rule = f"'{text}' cannot be read as a quantity; write {wanted} such as '{example}'"
        raise UnitError(rule) from error
    if not math.isfinite(value.magnitude):
        raise UnitError(f"'{text}' is not a finite number; write {wanted} such as '{example}'")
    per_body = has_body and kind in ("amount", "clearance", "volume") and _per_kg(value)
    whole = value * _registry().kg if per_body else value
    for reading in _readings(whole, kind, molecule):
        if reading.is_compatible_with(unit):
            return float(reading.to(unit).magnitude), per_body
    rule = f"'{text}' is {_dimension_name(value)}; {wanted} is needed here, such as '{example}'"
    if "biological_activity" in str(value.dimensionality) and molecule is not None:
        rule += f" (no activity per mass is known for {molecule.name})"
    raise UnitError(rule + (" (a dose per body mass needs body.weight)" if _per_kg(value) else ""))


def _readings(value: Any, kind: str, molecule: ActiveForm | None) -> list[Any]:
    """What a quantity may mean: as written, or in moles of this molecule."""
    registry = _registry()
    if kind == "molar mass":
        return [value, value / registry.avogadro_constant]
    if molecule is None or kind not in ("concentration", "amount", "elimination"):
        return [value]
    moles = value / (molecule.kda * registry.ng / registry.pmol)
    if molecule.units_per_ng is None:
        return [value, moles]
    return [value, moles, moles / (molecule.units_per_ng * registry.IU / registry.ng)]


def _per_kg(value: Any) -> bool:
    """Whether a quantity is written per kilogram of body."""
    return bool(dict(value.unit_items()).get("kilogram", 0) < 0)


def _dimension_name(value: Any) -> str:
    dimension = str(value.dimensionality)
    return DIMENSIONS.get(dimension, f"of dimension {dimension}")


def value_and_unit(text: str) -> tuple[float, str]:
    """The number of a text quantity and its unit as it is written, without conversion."""
    written = re.fullmatch(r"\s*([-+]?[.\d]+(?:[eE][-+]?\d+)?)\s*(.*?)\s*", text)
    if written is not None:
        return float(written[1]), written[2]
    found = _read(text)
    return float(found.magnitude), "" if found.unitless else f"{found.units:~}".replace(" ", "")


@cache
def express(value: float, unit: str, molecule: ActiveForm) -> float:
    """A concentration in pM in the unit of a panel (mass or molar)."""
    registry = _registry()
    molar = value * registry.pM
    for reading in (molar, molar * (molecule.kda * registry.ng / registry.pmol)):
        if reading.is_compatible_with(unit):
            return float(reading.to(unit).magnitude)
    raise UnitError(f"'{unit}' is not a unit of concentration for {molecule.name}; write 'pg/mL'")


@cache
def convert(value: float, unit: str, wanted: str) -> float:
    """A number in another unit of the same dimension; raises UnitError where there is none."""
    try:
        return float(_registry().Quantity(value, unit).to(wanted).magnitude)
    except Exception as error:
        raise UnitError(f"'{value:g} {unit}' cannot be given in {wanted}") from error


@cache
def ratio(text: str, base: str) -> float:
    """How many times `base` a quantity is; raises UnitError where they cannot be compared."""
    try:
        times = (_read(text) / _read(base)).to("dimensionless").magnitude
    except Exception as error:
        raise UnitError(f"'{text}' cannot be compared with '{base}'") from error
    if not math.isfinite(times):
        raise UnitError(f"'{text}' is no finite multiple of '{base}'")
    return float(times)


def same_dimension(text: str, unit: str) -> str:
    """Why a text quantity cannot replace a number in `unit` (empty when it can)."""
    registry, needed = _registry(), f"a quantity in {unit or 'no unit'} is needed here."
    try:
        value, target = _read(text), registry.Quantity(f"1 {unit}")
    except Exception:
        return f"'{text}' cannot be read as a quantity; {needed}"
    if not math.isfinite(value.magnitude):
        return f"'{text}' is not a finite number; {needed}"
    per_body, per_mole = registry.kg, registry.g / registry.mol
    for factor in (1, per_body, 1 / per_body, per_mole, 1 / per_mole):
        if (value * factor).is_compatible_with(target):
            return ""
    return f"'{text}' is {_dimension_name(value)}; {needed}"
