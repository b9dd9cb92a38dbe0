"""Sums of species that no reaction changes: what a network conserves, whatever its rates.

G with G S = 0, S the changes of each species (rows) in each reaction (columns), in fractions. A
species whose change in a reaction is not constant is in no sum.
"""

from fractions import Fraction

from polycrine.network.expressions import names_in, read
from polycrine.network.network import Network

Sum = dict[str, Fraction]


def conserved_sums(network: Network) -> list[Sum]:
    """The conserved sums, each as species -> coefficient, the first coefficient being positive.

    Between them they span all there are; of a species that never changes no sum is told.
    """
    changes = _changes(network)
    order = {species.name: k for k, species in enumerate(network.species)}
    pivots: dict[object, tuple[Sum, Sum]] = {}
    found: list[Sum] = []
    for name in (species.name for species in network.species if species.name in changes):
        row, made = dict(changes[name]), {name: Fraction(1)}
        while row:
            column = min(row, key=repr)
            if column not in pivots:
                pivots[column] = (row, made)
                break
            against, of = pivots[column]
            factor = row[column] / against[column]
            row, made = _less(row, against, factor), _less(made, of, factor)
        else:
            least = min(made, key=order.__getitem__)
            whole = {own: value / made[least] for own, value in made.items()}
            found.append(_in_order(whole, order))
    return _simplest(found, order)


def _less(row: Sum, other: Sum, factor: Fraction) -> Sum:
    """row - factor * other."""
    out = dict(row)
    for key, value in other.items():
        rest = out.get(key, Fraction(0)) - factor * value
        if rest:
            out[key] = rest
        else:
            out.pop(key, None)
    return out


def _changes(network: Network) -> dict[str, Sum]:
    """Of each species that reactions change, by how much in each reaction."""
    known = {parameter.name: parameter.value for parameter in network.parameters}
    moving = {name for reaction in network.reactions for name, _ in reaction.changes}
    constant = known.keys()
    table: dict[str, Sum] = {name: {} for name in moving}
    for k, reaction in enumerate(network.reactions):
        for name, text in reaction.changes:
            if not names_in(text) <= constant:
                table[name][f"of {name} alone"] = Fraction(1)
                continue
            value = Fraction(repr(float(read(text, known))))
            table[name][str(k)] = table[name].get(str(k), Fraction(0)) + value
    for row in table.values():
        for key in [key for key, value in row.items() if not value]:
            del row[key]
    return table


def _simplest(sums: list[Sum], order: dict[str, int]) -> list[Sum]:
    """Sums with fewer members or without minus signs, where taking one from another gives that."""

    def weight(one: Sum) -> tuple[bool, int]:
        return any(value < 0 for value in one.values()), len(one)

    changed = True
    while changed:
        changed = False
        for i, one in enumerate(sums):
            for j, other in enumerate(sums):
                for sign in (1, -1) if i != j else ():
                    tried = _in_order(_less(one, other, Fraction(sign)), order)
                    if tried and weight(tried) < weight(one):
                        sums[i] = one = tried
                        changed = True
    return sums


def _in_order(one: Sum, order: dict[str, int]) -> Sum:
    """A sum in the order of the species, the first coefficient being positive."""
    names = sorted(one, key=order.__getitem__)
    sign = -1 if names and one[names[0]] < 0 else 1
    return {name: sign * one[name] for name in names}


def written(one: Sum) -> str:
    """A sum as text."""
    terms = []
    for name, value in one.items():
        size = "" if abs(value) == 1 else f"{float(abs(value)):g} "
        terms.append(f"{'-' if value < 0 else '+'} {size}{name}")
    return " ".join(terms).removeprefix("+ ")
