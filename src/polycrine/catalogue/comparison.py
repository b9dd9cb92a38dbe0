"""Two groups of cytokines side by side: what is counted, from which entries, and what it says."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from polycrine.catalogue.entries import Molecule
from polycrine.catalogue.library import Catalogue
from polycrine.catalogue.questions import actions, balance, group, signalling_receptors

Row = dict[str, Any]
Parts = dict[str, list[str]]  # a part of a group by its name, and the members in it
Members = Mapping[str, Molecule]
NAMED = 6  # members that an answer names
MOST = 0.5  # a share of a group from which a part stands for it
APART = 0.1  # a difference of two shares that is worth telling


@dataclass(frozen=True)
class Group:
    """A group of cytokines, split in one respect into parts, which may overlap."""

    name: str
    size: int
    parts: Parts

    @property
    def known(self) -> int:
        """How many members are in any part."""
        return len({key for keys in self.parts.values() for key in keys})

    def within(self, *parts: str) -> list[str]:
        """The members in one of some parts."""
        return list(dict.fromkeys(key for part in parts for key in self.parts.get(part, [])))

    def count(self, *parts: str) -> str:
        """How many of those of whom something is known are in one of some parts, in words."""
        unknown = f" ({self.size - self.known} unknown)" if self.known < self.size else ""
        return f"{len(self.within(*parts))} of {self.known} {self.name}{unknown}"

    def largest(self, most: int = 3) -> str:
        """The largest parts, in words."""
        return ", ".join(f"{part} {len(keys)}" for part, keys in [*self.parts.items()][:most])


def compare(known: Catalogue, first: str, second: str) -> list[Row]:
    """What two groups share and how they differ: questions, each with its answer in words, and for
    either group the parts that were counted with the entries in them."""
    members = [(name, group(known, name)) for name in (first, second)]
    pairs, rows = [], []
    for question, (split, say) in ASKED.items():
        one, two = (Group(name, len(some), split(known, some)) for name, some in members)
        pairs.append((one, two))
        rows.append(_row(question, say(one, two), {one.name: one.parts, two.name: two.parts}))
    shares = [share for one, two in pairs[1:] for share in _shares(one, two)]
    alike = [(min(a, b), part, a, b) for part, a, b in shares if min(a, b) >= MOST]
    apart = [(abs(a - b), part, a, b) for part, a, b in shares if abs(a - b) >= APART]
    for question, found in (
        ("What do most of both share?", alike),
        ("Where do they differ?", apart),
    ):
        told = [
            f"{part}, {a:.0%} of {first} and {b:.0%} of {second}"
            for _, part, a, b in sorted(found, reverse=True)[:NAMED]
        ]
        rows.append(_row(question, f"{'; '.join(told) or 'Nothing'}.", {}))
    return rows


def _row(question: str, answer: str, counted: dict[str, Parts]) -> Row:
    return {"question": question, "answer": answer, "counted": counted}


def _shares(one: Group, two: Group) -> Iterator[tuple[str, float, float]]:
    """Every part with its share of either group, where of most members something is known."""
    if all(2 * some.known >= some.size for some in (one, two)):
        for part in dict.fromkeys([*one.parts, *two.parts]):
            a, b = (len(some.within(part)) / some.known for some in (one, two))
            yield part, a, b


def _parted(pairs: Iterable[tuple[str, str]]) -> Parts:
    """Members by part, the largest part first."""
    parts: dict[str, dict[str, None]] = {}
    for part, key in pairs:
        parts.setdefault(part, {})[key] = None
    return {p: [*keys] for p, keys in sorted(parts.items(), key=lambda pair: -len(pair[1]))}


def _names(keys: list[str]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more


def _by_tag(_: Catalogue, some: Members) -> Parts:
    return _parted((tag, key) for key, m in some.items() for tag in m.tags or ("no other name",))


def _say_members(one: Group, two: Group) -> str:
    small, large = sorted((one, two), key=lambda g: g.size)
    everyone = set(large.within(*large.parts))
    both = [key for key in small.within(*small.parts) if key in everyone]
    if len(both) < small.size:
        told = f"{_names(both)} are both" if both else "no entry is both"
        return f"There are {one.size} {one.name} and {two.size} {two.name}; {told}."
    if large.size == small.size:
        return f"Both names mean the same {small.size} entries."
    rest = _parted((p, k) for p, keys in large.parts.items() for k in keys if k not in both)
    others = Group("", 0, rest).largest()
    return (
        f"All {small.size} {small.name} are {large.name}; the other {large.size - small.size} "
        f"{large.name} go by other names, most often {others}."
    )


def _by_family(_: Catalogue, some: Members) -> Parts:
    return _parted((f"{m.family} family", key) for key, m in some.items())


def _say_families(one: Group, two: Group) -> str:
    shared = [family for family in one.parts if family in two.parts]
    told = [f"{g.name} are of {len(g.parts)} families ({g.largest()})" for g in (one, two)]
    return f"By structure {told[0]}, {told[1]}; {len(shared)} families hold members of both."


def _by_class(known: Catalogue, some: Members) -> Parts:
    return _parted(
        (f"through {receptor.receptor_class}", key)
        for key in some
        for receptor in signalling_receptors(known, key).values()
    )


def _say_classes(one: Group, two: Group) -> str:
    told = [f"{g.largest()} (of {g.known} {g.name})" for g in (one, two)]
    return f"Most often {told[0]}, and {told[1]}."


FACTORS = {"STAT": "STAT", "SMAD": "SMAD", "NFKB": "NF-kB", "NF-kB": "NF-kB", "REL": "NF-kB"}


def _by_factor(known: Catalogue, some: Members) -> Parts:
    return _parted(
        (named, key)
        for key in some
        for receptor in signalling_receptors(known, key).values()
        for factor in receptor.factors
        for start, named in FACTORS.items()
        if factor.startswith(start)
    )


def _say_factors(one: Group, two: Group) -> str:
    told = [f"{g.largest()} (of {g.known} {g.name})" for g in (one, two)]
    return f"Most often {told[0]}, and {told[1]}."


ALONE, OTHERS, BOTH = "leukocytes alone", "other cells alone", "leukocytes and others"
SIDES = {(True,): ALONE, (False,): OTHERS, (False, True): BOTH}


def _sides(known: Catalogue, verb: str, cells: dict[str, set[str]]) -> Parts:
    def side(cell: str) -> set[bool]:
        own = known.cells[cell]
        return {True, False} if own.lineage == "any" else {own.leukocyte}

    found = {key: {s for cell in some for s in side(cell)} for key, some in cells.items() if some}
    return _parted((f"{verb} {SIDES[tuple(sorted(sides))]}", key) for key, sides in found.items())


def _by_makers(known: Catalogue, some: Members) -> Parts:
    return _sides(
        known, "made by", {key: {fact.cell for fact in m.made_by} for key, m in some.items()}
    )


def _by_targets(known: Catalogue, some: Members) -> Parts:
    return _sides(
        known, "acts on", {key: {fact.cell for fact, _ in actions(m)} for key, m in some.items()}
    )


def _say_makers(one: Group, two: Group) -> str:
    told = [g.count(f"made by {ALONE}", f"made by {BOTH}") for g in (one, two)]
    return (
        f"Leukocytes make {told[0]}, {told[1]}; other cells alone make {_others('made by', two)}."
    )


def _say_targets(one: Group, two: Group) -> str:
    told = [g.count(f"acts on {ALONE}", f"acts on {BOTH}") for g in (one, two)]
    return (
        f"Leukocytes hear {told[0]}, {told[1]}; other cells alone hear {_others('acts on', two)}."
    )


def _others(verb: str, some: Group) -> str:
    found = some.within(f"{verb} {OTHERS}")
    return f"{len(found)} {some.name}: {_names(found)}" if found else f"no {some.name}"


def _by_route(_: Catalogue, some: Members) -> Parts:
    def routes(molecule: Molecule) -> Iterable[str]:
        made = {fact.cell for fact in molecule.made_by}
        heard = {fact.cell for fact, _ in actions(molecule)}
        if made & heard:
            yield "autocrine: heard by a cell type that makes it"
        if made and heard - made:
            yield "paracrine: heard by another cell type"
        levels = [report for report in molecule.reported if report.quantity == "healthy level"]
        if levels or molecule.healthy_plasma.origin in ("read", "second-hand"):
            yield "endocrine: measured in the blood of healthy people"

    return _parted((route, key) for key, m in some.items() for route in routes(m))


def _say_routes(one: Group, two: Group) -> str:
    told = [f"{g.name} {', '.join(_route(g))} of {g.known}" for g in (one, two)]
    return f"By what is known {told[0]}; {told[1]}."


def _route(some: Group) -> list[str]:
    return [f"{part.split(':')[0]} {len(keys)}" for part, keys in some.parts.items()]


def _by_release(known: Catalogue, some: Members) -> Parts:
    names = {True: "secreted with a leader", False: "without a leader"}
    leaders = {key: known.has_leader(key) for key in some}
    return _parted((names[has], key) for key, has in leaders.items() if has is not None)


def _say_release(one: Group, two: Group) -> str:
    without = two.within("without a leader")
    told = [g.count("without a leader") for g in (one, two)]
    named = f" ({_names(without)})" if without else ""
    return (
        f"Without a leader, so cut from the membrane or let out in other ways, are {told[0]}, "
        f"{told[1]}{named}."
    )


SIDED = {"pro": "only promotes", "anti": "only restrains", "dual": "both, by cell and context"}


def _by_balance(_: Catalogue, some: Members) -> Parts:
    labels = {key: balance(molecule) for key, molecule in some.items()}
    return _parted((SIDED[label], key) for key, label in labels.items() if label)


def _say_balance(one: Group, two: Group) -> str:
    told = [g.count("both, by cell and context") for g in (one, two)]
    anti = two.within("only restrains")
    named = f" ({_names(anti)})" if anti else ""
    return (
        f"Inflammation is promoted and restrained by the same molecule in {told[0]} and {told[1]}; "
        f"{len(anti) or 'no'} {two.name} are known only to restrain it{named}."
    )


def _by_breadth(_: Catalogue, some: Members) -> Parts:
    found = {key: len({fact.cell for fact, _ in actions(m)}) for key, m in some.items()}
    return _parted(
        (f"acts on {'one cell type' if n == 1 else 'two to five' if n < 6 else 'six or more'}", key)
        for key, n in found.items()
        if n
    )


def _say_breadth(one: Group, two: Group) -> str:
    told = [f"{g.count('acts on two to five', 'acts on six or more')}" for g in (one, two)]
    return f"Pleiotropy: {told[0]} and {told[1]} act on more than one cell type."


def _by_overlap(known: Catalogue, some: Members) -> Parts:
    chains = {
        key: {chain for r in signalling_receptors(known, key).values() for chain in r.chains}
        for key in some
    }
    return _parted(
        (
            "shares a chain with another of the group"
            if any(chains[key] & chains[other] for other in some if other != key)
            else "shares no chain",
            key,
        )
        for key in some
        if chains[key]
    )


def _say_overlap(one: Group, two: Group) -> str:
    told = [g.count("shares a chain with another of the group") for g in (one, two)]
    alone = two.within("shares no chain")
    named = f"; alone with its receptor: {_names(alone)}" if alone else ""
    return f"Redundancy: {told[0]} and {told[1]} share a receptor chain{named}."


ASKED = {
    "What are they?": (_by_tag, _say_members),
    "What do they look like?": (_by_family, _say_families),
    "Who makes them?": (_by_makers, _say_makers),
    "On whom do they act?": (_by_targets, _say_targets),
    "Through which receptors?": (_by_class, _say_classes),
    "Which factors do these turn on?": (_by_factor, _say_factors),
    "By which routes?": (_by_route, _say_routes),
    "How are they released?": (_by_release, _say_release),
    "Do they promote inflammation or restrain it?": (_by_balance, _say_balance),
    "On how many cell types does one act?": (_by_breadth, _say_breadth),
    "Do they share receptor chains?": (_by_overlap, _say_overlap),
}
