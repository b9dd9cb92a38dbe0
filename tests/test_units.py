import pytest

from polycrine.errors import UnitError
from polycrine.units import ActiveForm, express, quantity, same_dimension, value_and_unit

TNF = ActiveForm("TNF", 17.35, 3)
LPS = ActiveForm("LPS", 10.0, 1, units_per_ng=10.0)


def test_279_pg_per_mL_of_TNF_are_5_4_pM_of_trimer():
    assert quantity("279 pg/mL", "concentration", TNF) == pytest.approx(5.36, rel=1e-3)
    assert express(5.360230547550431, "pg/mL", TNF) == pytest.approx(279)


def test_a_dose_per_body_mass_uses_the_weight():
    assert quantity("2 ng/kg", "amount", LPS, 70) == pytest.approx(14)
    assert quantity("20 IU/kg", "amount", LPS, 70) == pytest.approx(14)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("10 molecules/s", "secretion", 600),
        ("2000 molecules/cell", "molecules", 2000),
        ("4e9 /L", "cell concentration", 4e9),
        ("1e7 /M/s", "association rate", 6e-4),
        ("0.1 /uM/s", "second-order rate", 6),
        ("17.35 kDa", "molar mass", 17.35),
        ("90 min", "duration", 90),
        ("1 µM", "intracellular concentration", 1),
    ],
)
def test_text_quantities_become_internal_units(text, kind, value):
    assert quantity(text, kind) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("3 kg", "duration", "is a mass; a duration is needed here, such as '24 h'"),
        ("5", "duration", "is a plain number without a unit"),
        ("2e6 IU", "amount", "no activity per mass is known for TNF"),
        ("2 ng/kg", "amount", "a dose per body mass needs body.weight"),
        ("nan h", "duration", "not a finite number"),
        ("inf pM", "concentration", "not a finite number"),
        ("blub", "volume", "cannot be read as a quantity"),
        ("", "volume", "is a plain number|cannot be read"),
    ],
)
def test_a_wrong_dimension_names_the_right_one(text, kind, says):
    with pytest.raises(UnitError, match=says):
        quantity(text, kind, TNF)


def test_a_unit_is_kept_as_it_is_written():
    assert value_and_unit("3 L") == (3.0, "L")
    assert value_and_unit("70kg") == (70.0, "kg")
    assert value_and_unit("1e6") == (1e6, "")
    assert value_and_unit("h 3") == (3.0, "h")


def test_replacing_a_number_needs_its_dimension():
    assert same_dimension("1 L/min", "mL/kg/h") == ""
    assert "a mass" in same_dimension("1 kg", "mL/min")
