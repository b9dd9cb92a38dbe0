"""What is wrong with a declaration beyond its form: unknown names, impossible doses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from polycrine.catalogue.entries import Number
from polycrine.catalogue.library import catalogue, numbers_of
from polycrine.catalogue.yamltext import Document, Path
from polycrine.errors import InputError, Problem, UnitError, nearest
from polycrine.model.model import Block, Count, Give, KnockOut, Model, Panel, Read
from polycrine.model.programs import Program, load_program
from polycrine.units import quantity


class Checker:
    """Walks a declaration once and keeps every problem with its line."""

    def __init__(self, model: Model, document: Document) -> None:
        self.model, self.document = model, document
        self.problems: list[Problem] = []
        self.known = catalogue()
        self.programs: dict[str, Program] = {}

    def check(self) -> list[Problem]:
        """Every problem of the declaration."""
        self._molecules()
        self._places()
        self._cells()
        self._numbers()
        self._events()
        self._observations()
        return self.problems

    def note(self, path: Path, rule: str, instead: str = "") -> None:
        """Record a problem at a path of the document."""
        self.problems.append(Problem(self.document.place(path), rule, instead))

    @contextmanager
    def _noting(self, path: Path) -> Iterator[None]:
        try:
            yield
        except UnitError as error:
            self.note(path, f"{error}.")
        except InputError as error:
            for problem in error.problems:
                self.note(path, problem.rule, problem.instead)

    def _name(self, path: Path, name: str, valid: object, what: str) -> bool:
        names = list(valid)  # type: ignore[call-overload]
        if name in names:
            return True
        self.note(path, f"'{name}' is no {what} of this model.", nearest(name, names))
        return False

    def _molecules(self) -> None:
        seen: set[str] = set()
        for key in ("cytokines", "mediators"):
            for i, name in enumerate(getattr(self.model, key)):
                if name not in self.known.molecules:
                    with self._noting((key, i)):
                        found = self.known.find(name)
                        self.note((key, i), f"'{name}' is written '{found}' here.")
                elif name in seen:
                    self.note((key, i), f"'{name}' is listed twice.", "Keep one of the two.")
                seen.add(name)

    def _places(self) -> None:
        model = self.model
        plasmas = [key for key, place in model.places.items() if place.volume == "plasma"]
        for key in plasmas:
            if model.body is None:
                self.note(("places", key, "volume"), "the volume 'plasma' needs a body.",
                          "Write 'body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}'.")  # fmt: skip
        for key in plasmas[1:]:
            self.note(("places", key), f"the body's plasma is already '{plasmas[0]}'.")
        for i, link in enumerate(model.links):
            for name in link.between:
                self._name(("links", i, "between"), name, model.places, "place")
            if link.between[0] == link.between[1]:
                self.note(("links", i, "between"), "a link joins two different places.")

    def _cells(self) -> None:
        for key, cells in self.model.cells.items():
            path: Path = ("cells", key)
            self._name((*path, "in"), cells.place, self.model.places, "place")
            with self._noting((*path, "program")):
                self.programs[key] = load_program(cells.program)
                self._number_of_cells(key, path)
            if key in self.model.places:
                self.note(path, f"'{key}' is the name of a place and of cells.")

    def _number_of_cells(self, key: str, path: Path) -> None:
        cells, healthy = self.model.cells[key], self.programs[key].healthy_count
        if cells.count is None and cells.concentration is None:
            if healthy is None or self.model.body is None:
                self.note(path, f"how many cells '{key}' stands for is not known here.",
                          "Write 'count: 1e6' or 'concentration: 4e9 /L'.")  # fmt: skip

    def _numbers(self) -> None:
        valid = {path.removesuffix(".value"): number for path, number in self.known.numbers()}
        for program in self.programs.values():
            valid |= dict(numbers_of(program, program.program.replace(" ", "_")))
        for path, text in self.model.numbers.items():
            if path not in valid:
                self.note(("numbers", path), f"'{path}' is no number of the catalogue or of a"
                          " program in this model.", nearest(path, valid))  # fmt: skip
                continue
            self._same_dimension(path, text, valid[path])

    def _same_dimension(self, path: str, text: str, number: Number) -> None:
        from polycrine.units import same_dimension

        rule = same_dimension(text, number.unit)
        if rule:
            self.note(("numbers", path), rule)
        elif text.strip().startswith("-"):
            self.note(("numbers", path), f"'{text}' is negative; '{path}' must be zero or more.")

    def _events(self) -> None:
        for i, event in enumerate(self.model.events):
            self._event(("events", i), event)
        for arm, events in self.model.arms.items():
            for i, event in enumerate(events):
                self._event(("arms", arm, i), event)

    def _event(self, path: Path, event: Give | Block | KnockOut) -> None:
        model = self.model
        if isinstance(event, KnockOut):
            self._name((*path, "knock out"), event.knock_out, model.molecules, "molecule")
        elif isinstance(event, Block):
            receptors = {name for program in self.programs.values() for name in program.receptors}
            valid = receptors | set(model.molecules)
            self._name((*path, "block"), event.block, valid, "receptor or molecule")
        else:
            place = event.into or model.plasma or next(iter(model.places), "")
            self._name((*path, "into"), place, model.places, "place")
            if self._name((*path, "give"), event.give, model.molecules, "molecule"):
                self._dose(path, event)

    def _dose(self, path: Path, event: Give) -> None:
        form = self.known.active_form(event.give)
        body = self.model.body
        weight = quantity(body.weight, "body mass") if body else None
        for key, kind in (("dose", "amount"), ("concentration", "concentration")):
            text = getattr(event, key)
            if text is not None:
                with self._noting((*path, key)):
                    if quantity(text, kind, form, weight) < 0:
                        self.note((*path, key), f"'{text}' is negative; a dose is zero or more.")

    def _observations(self) -> None:
        model = self.model
        for i, wish in enumerate(model.observe):
            path: Path = ("observe", i)
            if isinstance(wish, Panel):
                self._name((*path, "panel"), wish.panel, model.places, "place")
            elif isinstance(wish, Count):
                self._name((*path, "count"), wish.count, model.cells, "cell type")
            elif self._name((*path, "in"), wish.place, model.cells, "cell type"):
                program = self.programs.get(wish.place)
                if program is not None:
                    self._name((*path, "read"), wish.read, readable(program), "read-out")


def readable(program: Program) -> list[str]:
    """What `read` can observe in cells of a program."""
    from polycrine.model.programs import load_cascade

    outputs = [out for cascade in program.cascades for out in load_cascade(cascade).outputs]
    mrna = [f"{gene} mRNA" for gene in program.products]
    inner = [name for name, gene in program.products.items() if gene.secretion is None]
    secretion = [f"{name} secretion" for name, gene in program.products.items() if gene.secretion]
    bound = [f"{receptor} bound" for receptor in program.receptors]
    return [*program.signals, *outputs, *inner, *program.receptors, *bound, *mrna, *secretion]


def observation_name(wish: Read | Count | Panel) -> str:
    """How an observation is called in tables."""
    if isinstance(wish, Read):
        return f"{wish.read} in {wish.place}"
    return f"{wish.count} count" if isinstance(wish, Count) else f"panel of {wish.panel}"
