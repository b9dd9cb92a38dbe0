"""What a cell can do: receptors, signals behind them, cascades, and what it makes.

A program is text in `programs/`, whole or `like` another one; a cascade is a published
reaction network in `cascades/` with one input. `network/cells.py` turns both into equations.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from polycrine.catalogue.entries import Number, Record
from polycrine.catalogue.yamltext import Document, fill, read_document
from polycrine.errors import nearest, wrong

FOLDER = files("polycrine.model")
NONE = "none"


class Induction(Record):
    """Transcription rises by strength * x^n / (half^n + x^n); no strength: the full rate, 1."""

    half: Number
    strength: Number | None = None
    steepness: int = 1


class Repression(Record):
    """Transcription falls by the factor 1 - strength * x^n / (half^n + x^n)."""

    half: Number
    strength: Number
    steepness: int = 1


class Carried(Record):
    """A receptor of the catalogue on this cell: how many, and what lowers its synthesis."""

    per_cell: Number
    repressed_by: dict[str, Repression] = {}


class CarriedChain(Record):
    """A chain of receptors on this cell, and how fast it is replaced."""

    per_cell: Number
    turnover: Number


class Signal(Record):
    """An activity between 0 and 1: x^n / (1 + x^n), with x the sum of what is heard over its half.

    heard: receptor (bound molecules per cell), molecule that enters the cell (unbound pM),
    signal, protein or output of a cascade -> the amount that alone gives half of full activity;
    damped_by: x is divided by 1 + amount / half; half_time: first-order lag, none when absent;
    basal: x when nothing is heard.
    """

    about: str = ""
    heard: dict[str, Number]
    basal: Number | None = None
    damped_by: dict[str, Number] = {}
    steepness: int = 1
    half_time: Number | None = None


class Product(Record):
    """What a cell makes, from transcription to release; mRNA and inner proteins are shares of full.

    secretion: molecules per time and cell at full mRNA; transit: half-time from synthesis to
    release; matured_by: the signal without which the precursor stays inside; half_life: of the
    inner protein, or of the precursor; delay: mean of a three-stage delay before transcription.
    """

    basal: Number | None = None
    induced_by: dict[str, Induction] = {}
    repressed_by: dict[str, Repression] = {}
    delay: Number | None = None
    mrna_half_life: Number = Field(alias="mRNA half-life")
    secretion: Number | None = None
    transit: Number | None = None
    matured_by: str | None = None
    half_life: Number | None = Field(default=None, alias="half-life")


class Walk(Record):
    """A persistent random walk, biased towards where more of a receptor is occupied.

    toward: receptor -> the difference of occupied receptors between front and back at which half
    of a new direction follows it.
    """

    speed: Number
    persistence: Number
    toward: dict[str, Number] = {}


class Admission(Record):
    """Leukocytes of a kind that this endothelial cell lets through: blood cleared of them per time
    while `by`, one of its signals or proteins, is full."""

    by: str
    clearance: Number


class Fate(Record):
    """What happens to some of these cells, at the rate ln 2 / half_time * prod(by) * prod(1 -
    unless), or to a share of the daughters at each division.

    by, unless: signals or inner proteins of the cell, each between 0 and 1.
    """

    half_time: Number | None = None
    share: Number | None = None
    by: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.half_time is None) == (self.share is None):
            raise ValueError("give either 'half time' or 'share', that of the daughters")
        return self


class Hearing(Record):
    """A symbol of the file that is the level of a molecule around the cell, in the file's unit."""

    of: str
    unit: str


class Equations(Record):
    """Equations from an SBML file, as they stand, with ports to what is around the cell.

    file: one that ships with polycrine, or a path; time: one unit of its time; hears: constant
    symbol -> level around the cell; takes up, secretes: by molecule, how many of it per cell one
    unit of a symbol (a reaction, or another rate) moves in one unit of time; shows: symbols that
    can be read, and heard by signals. source: of every number in the file.
    """

    file: str
    time: str
    source: str = ""
    hears: dict[str, Hearing] = {}
    takes_up: dict[str, dict[str, Number]] = {}
    secretes: dict[str, dict[str, Number]] = {}
    shows: tuple[str, ...]

    @property
    def molecules(self) -> tuple[str, ...]:
        """Every molecule that passes a port."""
        heard = (hearing.of for hearing in self.hears.values())
        return tuple(dict.fromkeys([*heard, *self.takes_up, *self.secretes]))


class Program(Record):
    """A cell type as the parts that make it hear, decide and answer.

    chains: by gene; ligands assemble them into the receptors of the catalogue (`assemblies`) whose
    signalling chains are all here.
    healthy_count: cells of an adult, or per litre of blood, where a model gives no number. In a
    tissue also: radius; walk; lifetime (half-life there); egress (half-time until it leaves with
    the lymph); engulfs: volume cleared of bacteria per
    time, half of it once it `holds` so many; admits: leukocytes that it lets in; spills: what is
    set free when it is torn. presents: ligands on its surface that touching cells hear, how many
    while its product of the same name (if it has one) is full.
    In a stirred place its number changes: divides (half time: from one division to the next), dies,
    becomes cells of other programs.
    """

    program: str
    about: str
    cell_ontology: str = ""
    healthy_count: Number | None = None
    receptors: dict[str, Carried] = {}
    chains: dict[str, CarriedChain] = {}
    presents: dict[str, Number] = {}
    cascades: dict[str, str] = {}
    equations: Equations | None = None
    signals: dict[str, Signal] = {}
    products: dict[str, Product] = {}
    radius: Number | None = None
    walk: Walk | None = None
    lifetime: Number | None = None
    egress: Number | None = None
    engulfs: Number | None = None
    holds: Number | None = None
    admits: dict[str, Admission] = {}
    spills: dict[str, Number] = {}
    divides: Fate | None = None
    dies: Fate | None = None
    becomes: dict[str, Fate] = {}

    @property
    def fates(self) -> dict[str, Fate]:
        """Every way in which the number of these cells changes, by what it is called."""
        own = {"divides": self.divides, "dies": self.dies}
        return {k: fate for k, fate in own.items() if fate} | {
            f"becomes.{other}": fate for other, fate in self.becomes.items()
        }


class Step(Record):
    """One reaction of a cascade: the change of each species per unit of rate."""

    rate: str
    changes: dict[str, str]


class Shown(Record):
    """A read-out that follows from a cascade: an expression in its symbols, and its unit."""

    formula: str
    unit: str


class Cascade(Record):
    """A published reaction network with one input, in uM and its own compartments."""

    cascade: str
    about: str
    input: str
    outputs: tuple[str, ...]
    species: dict[str, Number]
    constants: dict[str, Number]
    reactions: tuple[Step, ...]
    shows: dict[str, Shown] = {}


def program_names() -> list[str]:
    """The programs that ship with polycrine."""
    names = sorted(file.name for file in (FOLDER / "programs").iterdir())
    return [name.removesuffix(".yaml").replace("-", " ") for name in names if name.endswith("yaml")]


@cache
def load_program(name: str) -> Program:
    """A shipped program by name, or one from a YAML file; raises InputError when there is none."""
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise wrong(name, "there is no such file.", "Check the path.")
        return fill(Program, read_document(Path(name).read_text("utf-8"), name))
    if name not in program_names():
        raise wrong(name, f"there is no program '{name}'.", nearest(name, program_names()))
    document = _document("programs", name.replace(" ", "-"))
    parent = document.data.pop("like", None)
    if parent is not None:
        data = load_program(parent).model_dump(by_alias=True, exclude_unset=True)
        document = Document(document.name, _merged(data, document.data), document.lines)
    return fill(Program, document)


@cache
def load_cascade(name: str) -> Cascade:
    """A shipped cascade by the name of its file."""
    return fill(Cascade, _document("cascades", name))


def equations_file(name: str) -> Path | str:
    """The SBML text that a program names, where it ships with polycrine, else its path."""
    shipped = FOLDER / "cascades" / name
    return shipped.read_text("utf-8") if shipped.is_file() else Path(name)


def _document(folder: str, name: str) -> Document:
    text = (FOLDER / folder / f"{name}.yaml").read_text("utf-8")
    return read_document(text, f"{name}.yaml")


def _merged(parent: Any, own: Any) -> Any:
    """What a program takes from the one it is `like`, with its own entries in place; none: without
    it."""
    if not (isinstance(parent, dict) and isinstance(own, dict)) or "value" in own:
        return own
    kept = parent | {key: _merged(parent.get(key), value) for key, value in own.items()}
    return {key: value for key, value in kept.items() if value != NONE}
