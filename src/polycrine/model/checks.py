"""What is wrong with a declaration beyond its form: unknown names, impossible doses."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from polycrine.catalogue.library import catalogue, numbers_of
from polycrine.catalogue.yamltext import Document, Path
from polycrine.errors import InputError, Problem, UnitError, nearest
from polycrine.model.model import Block, Count, Give, KnockOut, Model, Panel, Read
from polycrine.model.programs import Program, load_cascade, load_program
from polycrine.units import quantity, same_dimension

PYTHON = Document("model", None, {})


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
        for key in self.model.cells:
            self._cells(key)
        self._numbers()
        for i, event in enumerate(self.model.events):
            self._event(("events", i), event)
        for arm, events in self.model.arms.items():
            for i, event in enumerate(events):
                self._event(("arms", arm, i), event)
        for i, wish in enumerate(self.model.observe):
            self._observation(("observe", i), wish)
        return self.problems

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
        plasmas = [key for key, place in model.places.items() if place.volume == "plasma"]
        if plasmas and model.body is None:
            instead = "Write 'body: {weight: 70 kg, plasma: 3 L, whole blood: 5 L}'."
            self._note(("places", plasmas[0]), "the volume 'plasma' needs a body.", instead)
        for key in plasmas[1:]:
            self._note(("places", key), f"the body's plasma is already '{plasmas[0]}'.")
        for i, link in enumerate(model.links):
            for name in link.between:
                self._name(("links", i, "between"), name, model.places, "place")
            if link.between[0] == link.between[1]:
                self._note(("links", i, "between"), "a link joins two different places.")

    def _cells(self, key: str) -> None:
        cells, path = self.model.cells[key], ("cells", key)
        self._name((*path, "in"), cells.place, self.model.places, "place")
        if key in self.model.places:
            self._note(path, f"'{key}' is the name of a place and of cells.")
        with self._noting((*path, "program")):
            self.programs[key] = load_program(cells.program)
            healthy = self.programs[key].healthy_count if self.model.body else None
            if (cells.count or cells.concentration or healthy) is None:
                instead = "Write 'count: 1e6' or 'concentration: 4e9 /L'."
                self._note(path, f"how many cells '{key}' stands for is not known.", instead)

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
        form, body = self.known.active_form(event.give), self.model.body
        weight = quantity(body.weight, "body mass") if body else None
        for key, kind in (("dose", "amount"), ("concentration", "concentration")):
            text = getattr(event, key)
            with self._noting((*path, key)):
                if text is not None and quantity(text, kind, form, weight) < 0:
                    self._note((*path, key), f"'{text}' is negative; a dose is zero or more.")

    def _observation(self, path: Path, wish: Panel | Read | Count) -> None:
        if isinstance(wish, Panel):
            self._name((*path, "panel"), wish.panel, self.model.places, "place")
        elif isinstance(wish, Count):
            self._name((*path, "count"), wish.count, self.model.cells, "cell type")
        elif self._name((*path, "in"), wish.place, self.model.cells, "cell type"):
            known = readable(self.programs[wish.place]) if wish.place in self.programs else []
            if known:
                self._name((*path, "read"), wish.read, known, "read-out")


def readable(program: Program) -> list[str]:
    """What `read` can observe in cells of a program."""
    outputs = [out for cascade in program.cascades for out in load_cascade(cascade).outputs]
    names = [*program.signals, *outputs, *program.receptors]
    names += [f"{receptor} bound" for receptor in program.receptors]
    for name, product in program.products.items():
        names += [f"{name} mRNA", name if product.secretion is None else f"{name} secretion"]
    return names
