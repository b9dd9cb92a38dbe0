"""What is wrong with a declaration beyond its form: unknown names, impossible doses."""

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

from polycrine.catalogue.library import catalogue, numbers_of
from polycrine.catalogue.yamltext import Document, Path
from polycrine.errors import InputError, Problem, UnitError, nearest
from polycrine.model.events import Block, Event, Give, Infect, Injure, KnockOut, Without
from polycrine.model.model import Cells, Contact, Model, Stirred, Tissue
from polycrine.model.observations import (
    UNTREATED,
    Count,
    Expectation,
    Observation,
    Panel,
    Picture,
    Read,
)
from polycrine.model.programs import Program, load_cascade, load_program
from polycrine.units import quantity, same_dimension

PYTHON = Document("model", None, {})
FINEST_VOXEL = 0.98  # of a cell's radius; see engine/kernel.py
MOST_VOXELS = 4_000_000


def check_model(model: Model, document: Document = PYTHON) -> None:
    """Raises InputError with every problem of a declaration, each with its place."""
    problems = Checker(model, document).check()
    if problems:
        raise InputError(problems)


class Checker:
    """Walks a declaration once and keeps every problem with its line."""

    def __init__(self, model: Model, document: Document) -> None:
        self.model, self.document, self.known = model, document, catalogue()
        self.problems: list[Problem] = []
        self.programs: dict[str, Program] = {}

    def check(self) -> list[Problem]:
        """Every problem of the declaration."""
        self._molecules()
        self._places()
        self._links()
        for key, cells in self.model.cells.items():
            self._cells(key, cells)
        for i, contact in enumerate(self.model.contacts):
            self._contact(("contacts", i), contact)
        self._numbers()
        for i, event in enumerate(self.model.events):
            self._event(("events", i), event)
        for arm, events in self.model.arms.items():
            for i, event in enumerate(events):
                self._event(("arms", arm, i), event)
        for i, wish in enumerate(self.model.observe):
            self._observation(("observe", i), wish)
        for i, expected in enumerate(self.model.expect):
            self._expectation(("expect", i), expected)
        return self.problems

    def _expectation(self, path: Path, expected: Expectation) -> None:
        arms = (UNTREATED, *self.model.arms)
        self._name((*path, "arm"), expected.arm, arms, "arm")
        if expected.over is not None:
            self._name((*path, "over"), expected.over, (*arms, "start"), "arm")
        self._catalogued((*path, "source"), expected.source, self.known.sources, "source")
        seen = [f"{m} in {w.panel}" for w in self.model.observe if isinstance(w, Panel)
                for m in self.model.molecules]  # fmt: skip
        seen += [f"{w.read} in {w.place}" for w in self.model.observe if isinstance(w, Read)]
        seen += [f"count of {w.count}" for w in self.model.observe if isinstance(w, Count)]
        if expected.of not in seen:
            rule = f"'{expected.of}' is not observed."
            self._note((*path, "of"), rule, nearest(expected.of, seen))

    def _note(self, path: Path, rule: str, instead: str = "") -> None:
        self.problems.append(Problem(self.document.place(path), rule, instead))

    @contextmanager
    def _noting(self, path: Path) -> Iterator[None]:
        try:
            yield
        except UnitError as error:
            self._note(path, f"{error}.")
        except InputError as error:
            for problem in error.problems:
                self._note(path, problem.rule, problem.instead)

    def _name(self, path: Path, name: str, valid: Collection[str], what: str) -> bool:
        if name not in valid:
            self._note(path, f"'{name}' is no {what} of this model.", nearest(name, valid))
        return name in valid

    def _molecules(self) -> None:
        seen: set[str] = set()
        for key in ("cytokines", "mediators"):
            for i, name in enumerate(getattr(self.model, key)):
                if name in seen:
                    self._note((key, i), f"'{name}' is listed twice.", "Keep one of the two.")
                elif name not in self.known.molecules:
                    with self._noting((key, i)):
                        found = self.known.find(name)
                        self._note((key, i), f"'{name}' is written '{found}' here.")
                seen.add(name)

    def _places(self) -> None:
        model = self.model
        stirred = {key: p for key, p in model.places.items() if isinstance(p, Stirred)}
        plasmas = [key for key, place in stirred.items() if place.volume == "plasma"]
        if plasmas and model.body is None:
            instead = "Write 'body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}'."
            self._note(("places", plasmas[0]), "the volume 'plasma' needs a body.", instead)
        for key in plasmas[1:]:
            self._note(("places", key), f"the body's plasma is already '{plasmas[0]}'.")
        tissues = {key: p for key, p in model.places.items() if isinstance(p, Tissue)}
        for key in list(tissues)[1:]:
            self._note(("places", key), "a model has one tissue.", "Make the other one stirred.")
        for key, tissue in tissues.items():
            self._tissue(key, tissue)

    def _tissue(self, key: str, tissue: Tissue) -> None:
        path, voxel = ("places", key), quantity(tissue.voxel, "length")
        if tissue.of not in self.known.tissues:
            instead = nearest(tissue.of, self.known.tissues)
            self._note((*path, "of"), f"'{tissue.of}' is no tissue of the catalogue.", instead)
        shortest, thinnest = min(zip(tissue.lengths, tissue.size, strict=True))
        if voxel > shortest * (1 + 1e-9):
            rule = f"a voxel of {tissue.voxel} is larger than the tissue, {thinnest}."
            self._note((*path, "voxel"), rule, f"Write 'voxel: {thinnest}' or less.")
        for edge, length in dict(zip(tissue.size, tissue.lengths, strict=True)).items():
            if voxel <= length and abs(length / voxel - round(length / voxel)) > 1e-6:
                rule = f"{edge} is not a whole number of voxels of {tissue.voxel}."
                self._note((*path, "size"), rule)
        count = tissue.shape[0] * tissue.shape[1] * tissue.shape[2]
        if count > MOST_VOXELS:
            gigabytes = count * (len(self.model.molecules) + 20) * 40 / 1e9
            rule = (
                f"{count} voxels would need about {gigabytes:.0f} GB; up to {MOST_VOXELS} are run."
            )
            self._note((*path, "voxel"), rule, "Take larger voxels or a smaller piece.")
        if quantity(tissue.represents, "volume") < tissue.piece:
            rule = f"what it represents is smaller than the piece, {tissue.piece * 1e9:.3g} nL."
            self._note((*path, "represents"), rule)

    def _links(self) -> None:
        tissue = self.model.tissue
        for i, link in enumerate(self.model.links):
            path, between = ("links", i), (*("links", i), "between")
            for name in link.between:
                self._name(between, name, self.model.places, "place")
            if link.between[0] == link.between[1]:
                self._note(between, "a link joins two different places.")
            if link.barrier is not None:
                self._catalogued((*path, "barrier"), link.barrier, self.known.barriers, "barrier")
            if link.barrier is not None and tissue not in link.between:
                first, second = link.between
                rule = f"a barrier bounds a tissue, and neither '{first}' nor '{second}' is one."
                self._note(path, rule, "Write a 'flow' instead.")
            elif link.barrier is None and tissue in link.between:
                if link.flow is not None or not self._is_open(tissue):
                    rule = "a tissue exchanges through a barrier or open faces."
                    self._note(path, rule, "Write 'barrier: endothelium, surface: 6 m^2'.")
            elif link.flow is None and link.barrier is None:
                self._note(path, "how these places exchange is missing.", "Add 'flow: 1 L/min'.")
        if sum(tissue in link.between for link in self.model.links) > 1:
            self._note(("links",), f"'{tissue}' has more than one link.", "Keep one.")

    def _is_open(self, key: str | None) -> bool:
        place = self.model.places.get(key or "")
        return isinstance(place, Tissue) and place.faces == "open"

    def _catalogued(self, path: Path, name: str, valid: Collection[str], what: str) -> None:
        if name not in valid:
            self._note(path, f"'{name}' is no {what} of the catalogue.", nearest(name, valid))

    def _cells(self, key: str, cells: Cells) -> None:
        path, place = ("cells", key), self.model.places.get(cells.place)
        self._name((*path, "in"), cells.place, self.model.places, "place")
        if key in self.model.places:
            self._note(path, f"'{key}' is the name of a place and of cells.")
        with self._noting((*path, "program")):
            program = self.programs[key] = load_program(cells.program)
            healthy = program.healthy_count if self.model.body else None
            self._fates(path, program)
            if isinstance(place, Tissue):
                healthy = None
                self._fits(path, program, place)
                if program.fates:
                    rule = f"cells of '{program.program}' divide, die or become others, which"
                    self._note(path, f"{rule} they do in stirred places only.")
            if not cells.at and (cells.count or cells.concentration or healthy) is None:
                instead = "Write 'count: 1e6' or 'concentration: 4e9 /L'."
                self._note(path, f"how many cells '{key}' stands for is not known.", instead)
        for i, point in enumerate(cells.at):
            if not isinstance(place, Tissue):
                self._note((*path, "at"), "only cells in a tissue have a place in it.")
                break
            at = [quantity(coordinate, "length") for coordinate in point]
            if any(x > edge for x, edge in zip(at, place.lengths, strict=True)):
                rule = f"a cell at {', '.join(point)} lies outside the tissue, "
                rule += f"{' x '.join(place.size)}."
                self._note((*path, "at", i), rule)
        if cells.enters is not None:
            entered = self.model.places.get(cells.enters)
            if cells.place != self.model.plasma or cells.enters == cells.place or not entered:
                rule = f"cells of the blood enter a place, not '{cells.enters}' from"
                self._note((*path, "enters"), f"{rule} '{cells.place}'.")
            elif key in self.programs and isinstance(entered, Tissue):
                self._fits(path, self.programs[key], entered)

    def _fates(self, path: Path, program: Program) -> None:
        """Whether fates hang on what a program has."""
        inner = {name for name, product in program.products.items() if product.secretion is None}
        valid = inner | {*program.signals}
        for name, fate in program.fates.items():
            for part in ("by", "unless"):
                for signal in getattr(fate, part):
                    if signal not in valid:
                        rule = f"'{signal}', {part} which '{program.program}' {name}, is no signal"
                        instead = nearest(signal, valid)
                        self._note(path, f"{rule} and no inner protein of it.", instead)
            if fate.share is not None and (name == "divides" or program.divides is None):
                rule = f"a share of daughters in '{name}' of '{program.program}' needs a cell that"
                self._note(path, f"{rule} divides.", "Give a 'half time'.")

    def _contact(self, path: Path, contact: Contact) -> None:
        for part, name in [("cells", contact.cells), *(("touch", t) for t in contact.touch)]:
            if not self._name((*path, part), name, self.model.cells, "cell type"):
                return
            place = self.model.cells[name].place
            if not isinstance(self.model.places.get(place), Stirred):
                self._note((*path, part), f"'{name}' is in a tissue: there, who touches is seen.")
            elif place != self.model.cells[contact.cells].place:
                self._note((*path, part), f"'{name}' is not where '{contact.cells}' is.")
            elif (program := self.programs.get(name)) and program.radius is None:
                self._note((*path, part), f"the program '{program.program}' has no radius.")

    def _fits(self, path: Path, program: Program, tissue: Tissue) -> None:
        """Whether cells of a program can be in a tissue of these voxels."""
        if program.radius is None:
            rule = f"the program '{program.program}' has no radius: it cannot be in a tissue."
            self._note(path, rule)
            return
        least = FINEST_VOXEL * program.radius.read("length")
        if quantity(tissue.voxel, "length") < least:
            rule = f"a voxel of {tissue.voxel} is too fine for '{program.program}', whose cells"
            rule += f" have a radius of {program.radius.text}."
            self._note(path, rule, f"Take voxels of {math.ceil(least)} um or more.")

    def _numbers(self) -> None:
        valid = dict(self.known.numbers())
        for program in self.programs.values():
            valid |= dict(numbers_of(program, program.program.replace(" ", "_")))
        for path, text in self.model.numbers.items():
            place = ("numbers", path)
            if path not in valid:
                rule = f"'{path}' is no number of the catalogue or of a program in this model."
                self._note(place, rule, nearest(path, valid))
            elif rule := same_dimension(text, valid[path].unit):
                self._note(place, rule)
            elif text.strip().startswith("-"):
                self._note(place, f"'{text}' is negative; '{path}' must be zero or more.")

    def _tissue_name(self, path: Path, name: str) -> None:
        tissues = [key for key, place in self.model.places.items() if isinstance(place, Tissue)]
        self._name(path, name, tissues, "tissue")

    def _event(self, path: Path, event: Event) -> None:
        model = self.model
        at = getattr(event, "at", "0 h")
        if model.tissue and quantity(at, "duration") % 1:
            self._note((*path, "at"), f"'{at}' is no whole minute, as a model with a tissue needs.")
        presented = {ligand for program in self.programs.values() for ligand in program.presents}
        if isinstance(event, KnockOut):
            valid = presented | {*model.molecules}
            self._name((*path, "knock out"), event.knock_out, valid, "molecule")
        elif isinstance(event, Infect):
            self._name((*path, "infect"), event.infect, model.places, "place")
            self._catalogued((*path, "with"), event.bacteria, self.known.microbes, "pathogen")
        elif isinstance(event, Injure):
            self._name((*path, "injure"), event.injure, model.places, "place")
            self._injury(path, event)
        elif isinstance(event, Without):
            if event.cells is not None:
                enter = [key for key, cells in model.cells.items() if cells.enters]
                self._name((*path, "of"), event.cells, enter, "cell type that enters a tissue")
        elif isinstance(event, Block):
            receptors = {name for program in self.programs.values() for name in program.receptors}
            valid = receptors | presented | set(model.molecules)
            self._name((*path, "block"), event.block, valid, "receptor or molecule")
        else:
            stirred = [key for key, place in model.places.items() if isinstance(place, Stirred)]
            place = event.into or model.plasma or next(iter(stirred), "")
            self._name((*path, "into"), place, stirred, "stirred place")
            self._dose(path, event)

    def _injury(self, path: Path, event: Injure) -> None:
        place = self.model.places.get(event.injure)
        if place and isinstance(place, Stirred) == (event.share is None):
            wanted = "share" if isinstance(place, Stirred) else "radius"
            self._note(path, f"an injury of '{event.injure}' has a '{wanted}'.")
        if event.share is not None and quantity(event.share, "number") >= 1:
            self._note((*path, "share"), f"'{event.share}' leaves no cell.", "Write less than 1.")

    def _dose(self, path: Path, event: Give) -> None:
        found = None
        with suppress(InputError):
            found = self.known.find(event.give)
        if found not in self.model.molecules:
            drugs = [k for k, m in self.known.molecules.items() if m.kind == "drug"]
            valid = [*self.model.molecules, *drugs]
            self._name((*path, "give"), event.give, valid, "molecule")
            return
        entry, plasma = self.known.molecules[found], self.model.plasma
        if entry.kinetics is not None and plasma and event.into not in (None, plasma):
            self._note((*path, "into"), f"'{found}' is given into the {plasma}, and spreads.")
        routes = entry.absorbed
        if event.route is not None and self.model.plasma is None:
            self._note((*path, "route"), f"a dose {event.route} needs the plasma of a body.")
        elif event.route is not None and event.route not in routes:
            rule = f"how '{found}' is absorbed {event.route} is not known."
            self._note((*path, "route"), rule, "Give it into the vein.")
        form, body = self.known.active_form(found), self.model.body
        weight = quantity(body.weight, "body mass") if body else None
        kinds = {"dose": "amount", "loading": "amount", "concentration": "concentration"}
        for key, kind in kinds.items():
            text = getattr(event, key)
            with self._noting((*path, key)):
                if text is not None and quantity(text, kind, form, weight) < 0:
                    self._note((*path, key), f"'{text}' is negative; a dose is zero or more.")

    def _observation(self, path: Path, wish: Observation) -> None:
        groups = {key: key for key in self.model.cells}
        groups |= {f"{k} in {c.enters}": k for k, c in self.model.cells.items() if c.enters}
        if self.model.tissue and quantity(wish.every, "duration") % 1:
            rule = f"'{wish.every}' is not in whole minutes, as a model with a tissue needs."
            self._note((*path, "every"), rule)
        if isinstance(wish, Panel):
            self._name((*path, "panel"), wish.panel, self.model.places, "place")
        elif isinstance(wish, Picture):
            self._tissue_name((*path, "picture"), wish.picture)
        elif isinstance(wish, Count):
            microbes = [e.bacteria for e in self.model.all_events if isinstance(e, Infect)]
            self._name((*path, "count"), wish.count, [*groups, *microbes], "cell type")
        elif self._name((*path, "in"), wish.place, groups, "cell type"):
            program = self.programs.get(groups[wish.place])
            known = readable(program) if program else []
            if known:
                self._name((*path, "read"), wish.read, known, "read-out")


def readable(program: Program) -> list[str]:
    """What `read` can observe in cells of a program."""
    cascades = [load_cascade(name) for name in program.cascades]
    outputs = [out for cascade in cascades for out in (*cascade.outputs, *cascade.shows)]
    shown = program.equations.shows if program.equations else ()
    names = [*program.signals, *outputs, *shown, *program.receptors, *program.chains]
    names += [f"{receptor} bound" for receptor in (*program.receptors, *_assembled(program))]
    for name, product in program.products.items():
        names += [f"{name} mRNA", name if product.secretion is None else f"{name} secretion"]
    return names


def _assembled(program: Program) -> list[str]:
    """The receptors that ligands can assemble from a program's chains."""
    known = catalogue().assemblies.items()
    return [key for key, assembly in known if {*assembly.signals} <= {*program.chains}]
