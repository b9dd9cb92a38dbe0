"""A sweep as its author declares it: which model, which people, which doses and numbers.

A plan is a YAML file. People differ in covariates and in numbers, each drawn from a distribution
around the model's own value; a grid has every combination of the values that it lists.
"""

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from polycrine.catalogue.entries import Record
from polycrine.catalogue.yamltext import Document, fill, read_document
from polycrine.errors import InputError, Problem, UnitError, nearest, wrong
from polycrine.model.events import Give
from polycrine.model.model import Model, Tissue
from polycrine.model.observations import UNTREATED, Panel, Read
from polycrine.model.texts import Interval
from polycrine.units import quantity, ratio

COVARIATES = ("sex", "weight", "age")


def _share(text: str) -> str:
    if not 0 <= quantity(text, "number") <= 1:
        raise UnitError(f"'{text}' must lie between 0 % and 100 %")
    return text


def _positive(text: str) -> str:
    if quantity(text, "number") <= 0:
        raise UnitError(f"'{text}' must be above zero")
    return text


Share = Annotated[str, AfterValidator(_share)]
Spread = Annotated[str, AfterValidator(_positive)]
Distribution = Literal["log-normal", "normal", "uniform", "log-uniform"]


class Sex(Record):
    """The share of women."""

    female: Share


class Covariate(Record):
    """Weight or age of men, log-normal around its median; female: the factor of women's median.

    low, high: nobody lies beyond.
    """

    median: str
    cv: Spread
    low: str
    high: str
    female: float = 1.0


class Varied(Record):
    """How a number differs between people, around the model's own value.

    cv: of a log-normal (median) or normal (mean) distribution, which low and high cut off, or
    low and high of a uniform one. weight, age: exponents of (weight / median), (age / median);
    female: the factor of women.
    """

    distribution: Distribution = "log-normal"
    cv: Spread | None = None
    low: str | None = None
    high: str | None = None
    weight: float = 0.0
    age: float = 0.0
    female: float = 1.0

    @model_validator(mode="after")
    def _is_one_distribution(self) -> Self:
        if "uniform" in self.distribution and (self.low is None or self.high is None):
            raise ValueError(f"a {self.distribution} distribution needs 'low' and 'high'")
        if "uniform" in self.distribution and self.cv is not None:
            raise ValueError(f"a {self.distribution} distribution has no 'cv'")
        return self


class Correlation(Record):
    """The correlation of the normal variables behind two varied numbers."""

    between: tuple[str, str]
    value: Annotated[float, Field(gt=-1, lt=1, alias="is")]


class Accept(Record):
    """A plausible range, of an analyte's level at the start, its highest level, or its last one."""

    panel: str
    of: str
    value: Literal["start", "peak", "end"]
    low: str | None = None
    high: str | None = None


class Patients(Record):
    """People who are drawn until `count` of them are plausible; up to `tries` for each of them."""

    count: Annotated[int, Field(ge=1)]
    sex: Sex | None = None
    weight: Covariate | None = None
    age: Covariate | None = None
    numbers: dict[str, Varied] = {}
    correlations: tuple[Correlation, ...] = ()
    accept: tuple[Accept, ...] = ()
    tries: Annotated[int, Field(ge=1)] = 20


class Indices(Record):
    """Sensitivity indices of the varied numbers: the sample that the method draws from a base."""

    method: Literal["Sobol", "Morris"]
    base: Annotated[int, Field(ge=2)]
    numbers: Annotated[dict[str, Varied], Field(min_length=1)]


class Groups(Record):
    """A cohort as a laboratory would measure it: each patient belongs to one group, in turn.

    groups: what becomes of each, an arm; panel: the place that is sampled, every time a panel is
    kept; plate: samples on one plate of the assay.
    """

    panel: str
    groups: Annotated[dict[str, str], Field(min_length=2)]
    plate: Annotated[int, Field(ge=1)] = 78


class Plan(Record):
    """A sweep. every: when panels are kept, else when the model observes them.

    grid: path of a number, or `MOLECULE.dose` -> its values; every combination is run, for every
    patient. cohort: patients in groups, measured by assays. Tolerances are per step, of each
    variable's scale.
    """

    polycrine: Literal["1"] = "1"
    sweep: str
    about: str = ""
    model: str
    settings: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    patients: Patients | None = None
    grid: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    indices: Indices | None = None
    cohort: Groups | None = None
    every: Interval | None = None
    seed: Annotated[int, Field(ge=0)] = 1
    relative_tolerance: Annotated[float, Field(gt=0, le=1e-2)] = 1e-6
    absolute_tolerance: Annotated[float, Field(gt=0, le=1e-2)] = 1e-8

    @model_validator(mode="after")
    def _sweeps_something(self) -> Self:
        if self.indices is not None and (self.patients or self.grid):
            raise ValueError("'indices' draw their own sample: leave out 'patients' and 'grid'")
        if not (self.indices or self.patients or self.grid):
            raise ValueError("a sweep needs 'patients', a 'grid' or 'indices'")
        if self.cohort is not None and (self.patients is None or self.grid or self.arms):
            raise ValueError("a 'cohort' has 'patients', and groups in place of 'arms' and 'grid'")
        return self

    @property
    def varied(self) -> dict[str, Varied]:
        """Every number that is drawn from a distribution."""
        drawn = self.indices or self.patients
        return drawn.numbers if drawn else {}


def read_plan(text: str, name: str) -> tuple[Plan, Document]:
    """The plan in a YAML text, and its lines; raises InputError with every problem of its form."""
    document = read_document(text, name)
    if not isinstance(document.data, dict):
        raise wrong(f"{name}:1", "a plan is a file of keys with values.", "Begin with 'sweep:'.")
    return fill(Plan, document), document


Note = Callable[..., None]


def check_plan(plan: Plan, model: Model, known: dict[str, str], document: Document) -> None:
    """Raises InputError with everything that a plan asks of a model which it does not have.

    known: what may vary, each path with its value as text.
    """
    problems: list[Problem] = []

    def note(path: tuple[str | int, ...], rule: str, instead: str = "") -> None:
        problems.append(Problem(document.place(path), rule, instead))

    if any(isinstance(place, Tissue) for place in model.places.values()):
        note(("model",), f"'{plan.model}' has a tissue; a sweep is over stirred models.")
    if not any(isinstance(wish, Panel | Read) for wish in model.observe):
        note(("model",), "a sweep keeps panels and read-outs, and this model observes none.")
    arms: dict[tuple[str | int, ...], str] = {("arms", k): arm for k, arm in enumerate(plan.arms)}
    if plan.cohort is not None:
        arms |= {("cohort", "groups", group): arm for group, arm in plan.cohort.groups.items()}
        panels = [wish.panel for wish in model.observe if isinstance(wish, Panel)]
        if plan.cohort.panel not in panels:
            rule = f"no panel of '{plan.cohort.panel}' is observed."
            note(("cohort", "panel"), rule, nearest(plan.cohort.panel, panels))
    for place, arm in arms.items():
        if arm not in (UNTREATED, *model.arms):
            instead = nearest(arm, [UNTREATED, *model.arms])
            note(place, f"the model has no arm '{arm}'.", instead)
    _check_numbers(plan, known, note)
    if plan.patients is not None:
        _check_patients(plan.patients, model, note)
    if problems:
        raise InputError(problems)


def _check_numbers(plan: Plan, known: dict[str, str], note: Note) -> None:
    def is_known(path: tuple[str | int, ...], name: str) -> bool:
        if name not in known:
            note(path, f"'{name}' is no number or dose of this model.", nearest(name, known))
        return name in known

    for name, values in plan.grid.items():
        if is_known(("grid", name), name):
            for k, text in enumerate(values):
                if rule := _why_not(text, known[name]):
                    note(("grid", name, k), rule)
    people = "patients" if plan.patients else "indices"
    for name, varied in plan.varied.items():
        path = (people, "numbers", name)
        if is_known(path, name):
            for rule in _wrong_with(varied, known[name]):
                note(path, rule)
        has = {key: getattr(plan.patients, key, None) is not None for key in COVARIATES}
        asks = {"sex": varied.female != 1, "weight": varied.weight, "age": varied.age}
        for covariate in COVARIATES:
            if asks[covariate] and not has[covariate]:
                note(path, f"'{name}' depends on {covariate}, which nobody here has.")


def _check_patients(patients: Patients, model: Model, note: Note) -> None:
    for name, kind in (("weight", "body mass"), ("age", "duration")):
        covariate: Covariate | None = getattr(patients, name)
        if covariate is None:
            continue
        if name == "weight" and model.body is None:
            note(("patients", name), "this model has no body that could have a weight.")
        try:
            low, middle, high = (
                quantity(getattr(covariate, part), kind) for part in ("low", "median", "high")
            )
            if not 0 < low < middle < high:
                note(("patients", name), "low, median and high must be above zero and rise.")
        except UnitError as error:
            note(("patients", name), f"{error}.")
    for k, pair in enumerate(patients.correlations):
        path = ("patients", "correlations", k)
        for name in pair.between:
            if name not in patients.numbers:
                note(path, f"'{name}' does not vary.", nearest(name, patients.numbers))
        if pair.between[0] == pair.between[1]:
            note(path, "a number correlates with another one.")
    for k, accept in enumerate(patients.accept):
        path = ("patients", "accept", k)
        if accept.panel not in model.places:
            note(path, f"'{accept.panel}' is no place.", nearest(accept.panel, model.places))
        elif not any(isinstance(w, Panel) and _is_total(w, accept.panel) for w in model.observe):
            note(path, f"the model observes no panel of '{accept.panel}' that sees all.")
        if accept.of not in model.molecules:
            note(path, f"'{accept.of}' is no molecule.", nearest(accept.of, model.molecules))


def _is_total(wish: Panel, place: str) -> bool:
    return wish.panel == place and wish.assay == "total"


def _why_not(text: str, base: str) -> str:
    """Why a value cannot stand in place of a model's own; empty where it can."""
    try:
        return f"'{text}' is negative." if ratio(text, base) < 0 else ""
    except UnitError as error:
        return f"{error}."


def _wrong_with(varied: Varied, base: str) -> list[str]:
    rules = [_why_not(text, base) for text in (varied.low, varied.high) if text is not None]
    depends = varied.weight or varied.age or varied.female != 1
    if "uniform" not in varied.distribution and varied.cv is None and not depends:
        rules.append("nothing says how it varies: give 'cv', or what it depends on.")
    rules = [rule for rule in rules if rule]
    if rules or varied.low is None:
        return rules
    low = ratio(varied.low, base)
    if varied.high is not None and low >= ratio(varied.high, base):
        rules.append(f"'{varied.low}' is not below '{varied.high}'.")
    if varied.distribution == "log-uniform" and low == 0:
        rules.append("a log-uniform distribution cannot begin at zero.")
    return rules


def doses(model: Model, arms: tuple[str, ...]) -> dict[str, str]:
    """`MOLECULE.dose` -> the dose or concentration of its one kind of event, in the arms."""
    events = [*model.events, *(event for arm in arms for event in model.arms.get(arm, ()))]
    given: dict[str, set[str]] = {}
    for event in events:
        if isinstance(event, Give):
            text = str(event.dose or event.concentration)
            given.setdefault(f"{event.give}.dose", set()).add(text)
    return {path: min(texts) for path, texts in given.items() if len(texts) == 1}
