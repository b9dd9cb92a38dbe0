"""The records of the catalogue: numbers with their origin, molecules, receptors, complexes."""

from typing import ClassVar, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from polycrine.errors import UnitError
from polycrine.units import ActiveForm, quantity

NEEDED = {
    "read": ("source",),
    "second-hand": ("source",),
    "fitted": ("fitted_to", "residual", "low", "high"),
    "assumed": ("why", "low", "high"),
}
Origin = Literal["read", "second-hand", "fitted", "assumed", "author"]


class Record(BaseModel):
    """A frozen record; a key that it does not know is an error, keys may be written with spaces."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        alias_generator=lambda name: name.replace("_", " "),
    )


class Number(Record):
    """A value with its unit, the range it may have, and where it comes from.

    origin: `read` in its source; `second-hand`, a text that names the source was read; `fitted`
    to data, with the residual; `assumed`, with the reason and a range; `author`, written in a
    model file. A value that nobody has measured is `unknown`.
    """

    value: float | Literal["unknown"]
    unit: str = ""
    low: float | None = None
    high: float | None = None
    context: str = ""
    source: str | None = None
    origin: Origin = "assumed"
    why: str = ""
    fitted_to: str = ""
    residual: str = ""

    @model_validator(mode="after")
    def _origin_is_backed(self) -> Self:
        if self.value == "unknown":
            return self
        missing = [key for key in NEEDED.get(self.origin, ()) if getattr(self, key) in (None, "")]
        if missing:
            raise ValueError(f"a number that is '{self.origin}' needs {' and '.join(missing)}")
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        if not low <= self.value <= high:
            raise ValueError(f"{self.value} lies outside its range {self.low} to {self.high}")
        return self

    @property
    def has_range(self) -> bool:
        """Whether both ends of the range are given."""
        return self.low is not None and self.high is not None

    @property
    def text(self) -> str:
        """The number as a text quantity."""
        return "unknown" if self.value == "unknown" else f"{self.value:.12g} {self.unit}".strip()

    def read(
        self, kind: str, molecule: ActiveForm | None = None, weight_kg: float | None = None
    ) -> float:
        """The value in internal units; raises UnitError where it is unknown."""
        if self.value == "unknown":
            raise UnitError(f"a {kind} is unknown; give your own under 'numbers'")
        return quantity(self.text, kind, molecule, weight_kg)


UNKNOWN = Number(value="unknown")
UNITS = {
    "Kd": "pM",
    "EC50": "pM",
    "IC50": "pM",
    "kon": "/M/s",
    "koff": "/min",
    "half-life": "min",
    "clearance": "mL/min",
    "clearance per weight": "mL/min/kg",
    "healthy level": "pg/mL",
    "receptors per cell": "molecules",
    "internalisation": "min",
    "secretion": "fg/cell/h",
}


class Report(Record):
    """What one source says of a quantity of a molecule, in the unit that `UNITS` has for it.

    of: the receptor, cell, fluid or preparation; printed: value and unit as the source prints them;
    where: in the source; where a span is printed, value is the middle of low and high.
    internalisation is the half-life of what is bound; over is the time in which the printed amount
    was secreted (where the source has none, value is the amount per cell), cells their number per
    volume, where a concentration is printed.
    """

    quantity: Literal[
        "Kd",
        "EC50",
        "IC50",
        "kon",
        "koff",
        "half-life",
        "clearance",
        "clearance per weight",
        "healthy level",
        "receptors per cell",
        "internalisation",
        "secretion",
    ]
    of: str = ""
    value: float
    low: float | None = None
    high: float | None = None
    printed: str
    over: str = ""
    cells: str = ""
    where: str = ""
    context: str = ""
    source: str
    origin: Literal["read", "second-hand"] = "read"

    @model_validator(mode="after")
    def _only_a_secretion_has_a_time(self) -> Self:
        if self.quantity != "secretion" and (self.over or self.cells):
            raise ValueError("only a secretion has a time and a number of cells")
        return self

    @property
    def unit(self) -> str:
        """The unit of value, low and high."""
        if self.quantity == "secretion" and not self.over:
            return "fg/cell"
        return UNITS[self.quantity]


Evidence = Literal["read", "second-hand", "assumed"]
Label = Literal["pro", "anti", "dual"]


class Fact(Record):
    """A statement with the sources behind it; `uniprot:P05231` is a source without an entry of its
    own.

    origin: `read` in a paper, mostly its abstract, or a protein's entry; `second-hand`, in a text
    that retells it, such as a vendor's page; an `assumed` one says why. species: where not human;
    said of: the class that the source speaks of, where it does not single this molecule out.
    """

    source: tuple[str, ...] = ()
    origin: Evidence = "read"
    why: str = ""
    species: str = ""
    said_of: str = ""

    @field_validator("source", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _is_backed(self) -> Self:
        if self.origin == "assumed" and not self.why:
            raise ValueError("an assumed fact needs why")
        if self.origin != "assumed" and not self.source:
            raise ValueError(f"a fact that is '{self.origin}' needs a source")
        return self


class Maker(Fact):
    """A cell that makes a molecule, and on what stimulus."""

    cell: str
    on: str = ""


class Target(Fact):
    """A cell that a molecule acts on, and when."""

    cell: str
    when: str = ""


class Change(Fact):
    """What a molecule changes in or of a cell, and when: a cell's doing, or a gene's activity."""

    cell: str
    when: str = ""
    up: ClassVar[str]
    down: ClassVar[str]

    @model_validator(mode="after")
    def _has_one_direction(self) -> Self:
        if bool(getattr(self, self.up)) == bool(getattr(self, self.down)):
            raise ValueError(f"either {self.up} or {self.down}, and not both, is to be given")
        return self

    @property
    def what(self) -> str:
        """What is changed."""
        return str(getattr(self, self.up) or getattr(self, self.down))

    @property
    def sign(self) -> str:
        """`+` or `-`."""
        return "+" if getattr(self, self.up) else "-"

    @property
    def said(self) -> str:
        """The change in words."""
        verb = self.up if self.sign == "+" else self.down
        return f"{verb} {self.what}" + (f" ({self.when})" if self.when else "")


class Effect(Change):
    """What a molecule raises or lowers in or of a cell, and how that counts in inflammation."""

    up, down = "raises", "lowers"
    raises: str = ""
    lowers: str = ""
    counts_as: Label | None = None


class GeneEffect(Change):
    """A gene (HGNC symbol) that a molecule activates or inhibits in a cell."""

    up, down = "activates", "inhibits"
    activates: str = ""
    inhibits: str = ""


class Source(Record):
    """A publication or data set whose text was opened, or that such a text names."""

    cite: str
    doi: str = ""
    pmid: str = ""
    url: str = ""

    @property
    def link(self) -> str:
        """Where to find it; a search where it has no identifier."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.pmid:
            return f"https://pubmed.ncbi.nlm.nih.gov/{self.pmid}/"
        return self.url or f"https://pubmed.ncbi.nlm.nih.gov/?term={quote(self.cite)}"


Tag = Literal[
    "interleukin",
    "chemokine",
    "interferon",
    "lymphokine",
    "monokine",
    "adipokine",
    "myokine",
    "growth factor",
    "alarmin",
    "hormone",
]


class Gene(Record):
    """An approved human gene: HGNC and UniProt ids, and names that HGNC knows besides.

    cytokine: whether UniProt's keyword or a dictionary of cytokines counts its product as one;
    leader: residues of the signal peptide in UniProt, or `none`; mature: of the mature chain.
    """

    symbol: str
    hgnc: str
    uniprot: str
    name: str
    cytokine: bool
    leader: str = ""
    mature: str = ""
    aliases: tuple[str, ...] = ()


class Cell(Record):
    """A cell type of the Cell Ontology, with the nearest wider types that are listed too."""

    name: str
    id: str
    label: str
    parents: tuple[str, ...] = ()
    lineage: Literal["lymphoid", "myeloid", "other haematopoietic", "non-haematopoietic", "any"]
    leukocyte: bool
    aliases: tuple[str, ...] = ()


class Saturable(Record):
    """What the targets of a drug take up at most, and where half of it is reached."""

    most: Number
    half: Number


class Kinetics(Record):
    """How a drug spreads: the volume that it fills at once, and what it exchanges with a second.

    saturable: elimination besides the linear clearance, in all of the body.
    """

    volume: Number
    second_volume: Number | None = None
    exchange: Number | None = None
    saturable: Saturable | None = None

    @model_validator(mode="after")
    def _has_both(self) -> Self:
        if (self.second_volume is None) != (self.exchange is None):
            raise ValueError("'second volume' and 'exchange' go together")
        return self


class Absorption(Record):
    """How fast a depot empties, and the share of it that comes to the blood."""

    rate: Number
    available: Number


Route = Literal["under the skin", "by mouth"]


class Molecule(Record):
    """A cytokine, soluble receptor, hormone, bacterial product or drug that travels in fluid.

    searched: by quantity, what was searched without finding a number; kinetics, absorbed: of what
    is given as a drug; its clearance is the linear one, without what its targets take up.
    """

    kind: Literal[
        "cytokine",
        "antagonist",
        "soluble receptor",
        "acute phase protein",
        "hormone",
        "bacterial product",
        "danger signal",
        "complement fragment",
        "antigen",
        "antibody",
        "drug",
    ]
    name: str
    about: str = ""
    aliases: tuple[str, ...] = ()
    family: str = ""
    tags: tuple[Tag, ...] = ()
    subunits: dict[str, int]
    balance: Label | None = None
    source: tuple[str, ...] = ()
    made_by: tuple[Maker, ...] = ()
    acts_on: tuple[Target, ...] = ()
    effects: tuple[Effect, ...] = ()
    genes: tuple[GeneEffect, ...] = ()
    reported: tuple[Report, ...] = ()
    searched: dict[str, str] = {}
    mass: Number = UNKNOWN
    activity: Number | None = None
    clearance: Number = UNKNOWN
    healthy_plasma: Number = UNKNOWN
    unbound_fraction: Number | None = None
    tissue_half_life: Number | None = Field(default=None, alias="tissue half-life")
    kinetics: Kinetics | None = None
    absorbed: dict[Route, Absorption] = {}
    panel_unit: str = "pg/mL"
    detection: Number | None = None


ReceptorClass = Literal[
    "type I",
    "type II",
    "IL-1R/TIR",
    "TNFR",
    "IL-17R",
    "Ser/Thr kinase",
    "RTK",
    "chemokine GPCR",
    "other GPCR",
    "pattern recognition",
    "ion channel",
    "other",
    "uncertain",
]


class Binding(Record):
    """How one ligand binds a receptor: Kd, association rate, internalisation of the complex."""

    kd: Number = Field(default=UNKNOWN, alias="Kd")
    kon: Number = UNKNOWN
    internalisation: Number = UNKNOWN
    effect: Literal["signal", "none"]
    source: tuple[str, ...] = ()


class Receptor(Record):
    """A receptor on cells: its chains in order of assembly, what they turn on, and its ligands.

    kind: a co-receptor binds or activates a ligand for others and does not signal by itself.
    factors: transcription factors; feedback: what the signal raises that stops it.
    """

    name: str
    about: str = ""
    chains: tuple[str, ...]
    kind: Literal["signalling", "co-receptor", "decoy", "scavenger"]
    receptor_class: ReceptorClass = Field(alias="class")
    kinases: tuple[str, ...] = ()
    factors: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    turnover: Number = UNKNOWN
    binds: dict[str, Binding]


class AssembledChain(Record):
    """How a chain joins a ligand: from solution by Kd and kon, or only on the membrane, where it
    holds the complex with a dissociation constant in molecules per cell, `after` another chain."""

    kd: Number | None = Field(default=None, alias="Kd")
    kon: Number | None = None
    on_membrane: Number | None = None
    after: str | None = None

    @model_validator(mode="after")
    def _joins_in_one_way(self) -> Self:
        from_solution = self.kd is not None and self.kon is not None
        if from_solution == (self.on_membrane is not None and self.after is not None):
            raise ValueError("give either 'Kd' and 'kon', or 'on membrane' and 'after'")
        return self


class Assembly(Record):
    """A receptor that its ligand assembles step by step from chains (`network/assembly.py`).

    crosslinking: molecules per cell and pM, what turns a Kd in solution into one on the membrane;
    association: on the membrane; signals: the chains of a complex that signals.
    """

    name: str
    about: str = ""
    ligand: str
    chains: dict[str, AssembledChain]
    crosslinking: Number
    association: Number
    signals: tuple[str, ...]
    internalisation: Number
    source: tuple[str, ...] = ()


class Complex(Record):
    """Two soluble parts that bind in any fluid; the result may be a ligand of a receptor."""

    parts: tuple[str, str]
    kd: Number = Field(alias="Kd")
    kon: Number
    about: str = ""
    clearance: Number


class TissueKind(Record):
    """What cells of a tissue lie in: the share of fluid, how much slower molecules diffuse there
    than in water (hindrance), and the lymph that leaves per volume of tissue."""

    name: str
    about: str = ""
    fluid_fraction: Number
    hindrance: Number
    lymph: Number


class Opening(Record):
    """A molecule raises exchange from 1 to `fold` times, half of it at the concentration `half`."""

    half: Number
    fold: Number


class Barrier(Record):
    """A wall with two kinds of pores, which sieve by molecular radius (`network/barriers.py`).

    large_share: share of the hydraulic conductance in large pores; conductance: per surface;
    torn: by how much exchange rises where tissue is injured.
    """

    name: str
    about: str = ""
    small_pore: Number
    large_pore: Number
    large_share: Number
    conductance: Number
    opened_by: dict[str, Opening] = {}
    torn: Number


class Synapse(Record):
    """Where two cells touch: the area, and the confinement length of what binds there."""

    name: str
    about: str = ""
    area: Number
    confinement: Number


class Microbe(Record):
    """A pathogen that grows in tissue up to a capacity, spreads, and sheds molecules."""

    name: str
    about: str = ""
    growth: Number
    capacity: Number
    spread: Number
    sheds: dict[str, Number] = {}
    spills: dict[str, Number] = {}


class Statement(Record):
    """What popular texts say, whether it holds, and the entries that carry the truth."""

    says: str
    verdict: Literal["true", "half true", "wrong"]
    because: str
    entries: tuple[str, ...]
    source: tuple[str, ...]


class Pair(Record):
    """A ligand and a chain that other lists pair, and why they stand in no receptor here; without a
    source the reason is our judgement."""

    ligand: str
    chain: str
    reason: str
    source: tuple[str, ...] = ()


class Family(Record):
    """One file of the catalogue; aside: genes that are counted as cytokines elsewhere, and why not
    here."""

    about: str = ""
    aside: dict[str, str] = {}
    molecules: dict[str, Molecule] = {}
    receptors: dict[str, Receptor] = {}
    assemblies: dict[str, Assembly] = {}
    complexes: dict[str, Complex] = {}
    tissues: dict[str, TissueKind] = {}
    barriers: dict[str, Barrier] = {}
    microbes: dict[str, Microbe] = {}
    synapses: dict[str, Synapse] = {}
