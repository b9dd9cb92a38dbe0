"""Ready-made declarations, and what was measured beside them."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pandas as pd

from polycrine.catalogue.yamltext import Document
from polycrine.errors import nearest, wrong
from polycrine.model.model import Model
from polycrine.model.plan import Plan, read_plan
from polycrine.model.yamlfile import read_model

HOME = files("polycrine.scenarios")
DATA = HOME / "data"


def _names(folder: str, ending: str) -> list[str]:
    names = sorted(file.name for file in (HOME / folder).iterdir())
    return [name.removesuffix(ending) for name in names if name.endswith(ending)]


def scenario_names() -> list[str]:
    """The scenarios that ship with polycrine."""
    return _names("data", ".yaml")


def load(name_or_file: str | Path, settings: Sequence[str] = ()) -> Model:
    """A declaration by the name of a scenario or from a YAML file, with settings applied.

    settings: `path=value` as on the command line. Raises InputError with every problem.
    """
    text, name = _text_of(name_or_file, "scenario", "data")
    model = read_model(text, name, settings)
    tables = _names("data", ".csv")
    if model.measured not in (None, *tables):
        rule = f"there is no measured table '{model.measured}'."
        raise wrong(f"{name}: measured", rule, nearest(str(model.measured), tables))
    return model


def plan_names() -> list[str]:
    """The sweeps that ship with polycrine."""
    return _names("plans", ".yaml")


def load_plan(name_or_file: str | Path) -> tuple[Plan, Model, Document]:
    """A plan by its name or from a YAML file, with its model and its lines.

    A model that is a file lies beside the plan. Raises InputError with every problem of its form.
    """
    plan, document = read_plan(*_text_of(name_or_file, "sweep", "plans"))
    beside = Path(name_or_file).parent / plan.model
    own = plan.model.endswith((".yaml", ".yml"))
    return plan, load(beside if own else plan.model, plan.settings), document


def _text_of(name_or_file: str | Path, what: str, folder: str) -> tuple[str, str]:
    """The text of a YAML file, or of one that ships in a folder, and what to call it."""
    path, name = Path(name_or_file), str(name_or_file)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise wrong(name, "there is no such file.", "Check the path.")
        return path.read_text("utf-8"), name
    names = _names(folder, ".yaml")
    if name not in names:
        raise wrong(name, f"there is no {what} '{name}'.", nearest(name, names))
    return (HOME / folder / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml"


def template() -> str:
    """A small commented model to start from."""
    return (HOME / "template.yaml").read_text("utf-8")


def measured_beside(model: Model, sample: str) -> pd.DataFrame | None:
    """The measured table that a model names; None for an arm, which people did not have."""
    return measured(model.measured) if model.measured and sample not in model.arms else None


def measured(name: str) -> pd.DataFrame:
    """A shipped table: analyte, time_h, median, lower, upper, unit; its comments say of what.

    Rows with `peak` or `peak time` in `time_h` are about each person's own highest sample.
    """
    with (DATA / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, comment="#")
