"""The catalogue as static pages: one a cytokine, with a drawing made from its entries."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from polycrine.catalogue.entries import Receptor
from polycrine.catalogue.library import Catalogue
from polycrine.catalogue.questions import actions, group, receptors_of, summary

HERE = Path(__file__).parent
WIDTH, ROW, SIDE, MOST, CITED = 960, 26, 210, 12, 48
SIGNAL, SILENT, CELL = "#35648F", "#999999", "#F1E3D8"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>
<body>{body}</body></html>
"""


def write_site(known: Catalogue, folder: Path) -> Path:
    """Write index.html and a page for every cytokine into a folder; return the index."""
    folder.mkdir(parents=True, exist_ok=True)
    style = (HERE / "page.css").read_text("utf-8")
    for key in group(known, "cytokines"):
        title = known.molecules[key].name
        page = PAGE.format(title=escape(title), style=style, body=_body(known, key))
        (folder / _file(key)).write_text(page, "utf-8")
    index = folder / "index.html"
    index.write_text(PAGE.format(title="Cytokines", style=style, body=_index(known)), "utf-8")
    return index


def _file(key: str) -> str:
    return f"{key.replace('/', '-')}.html"


def _index(known: Catalogue) -> str:
    families: dict[str, list[str]] = {}
    for key, molecule in group(known, "cytokines").items():
        families.setdefault(molecule.family or "other", []).append(key)
    parts = ["<h1>Cytokines</h1>"]
    ordered = sorted(families.items(), key=lambda f: (f[0] == "other", -len(f[1]), f[0]))
    for family, keys in ordered:
        links = [f'<a href="{_file(k)}">{escape(known.molecules[k].name)}</a>' for k in keys]
        parts.append(f"<h2>{escape(family)}</h2><p>{', '.join(links)}</p>")
    told = [
        f"<dt>{escape(s.says)}: <b>{s.verdict}</b></dt><dd>{escape(s.because)}"
        f" {_cites(known, s.source)}</dd>"
        for s in known.statements
    ]
    return "".join([*parts, "<h2>What popular texts say</h2><dl>", *told, "</dl>"])


def _body(known: Catalogue, key: str) -> str:
    molecule = known.molecules[key]
    genes = [known.genes[symbol] for symbol in molecule.subunits if symbol in known.genes]
    ids = "; ".join(
        f"{g.symbol}: {g.hgnc}, UniProt {g.uniprot}, leader {g.leader or 'unknown'}, "
        f"mature chain {g.mature or 'unknown'}"
        for g in genes
    )
    form = ", ".join(f"{count} {symbol}" for symbol, count in molecule.subunits.items())
    bits = [
        f'<p><a href="index.html">All cytokines</a></p><h1>{escape(molecule.name)}</h1>',
        f'<p class="about">{escape(summary(known, key))} {escape(", ".join(molecule.tags))}</p>',
        f"<p>{escape(ids)}. Also: {escape(', '.join(molecule.aliases)) or '–'}. "
        f"Active form: {escape(form)}; mass of a mature subunit: {escape(molecule.mass.text)}.</p>",
        f"<figure>{draw(known, key)}</figure>",
    ]
    columns = ("cell", "what", "counts as", "species", "said of", "origin", "source")
    for title, told in (
        ("Made by", [(fact, fact.on) for fact in molecule.made_by]),
        ("Acts on", list(actions(molecule))),
    ):
        facts = [
            (
                *(f.cell, what, getattr(f, "counts_as", None) or "", f.species, f.said_of),
                *(f.origin, _cites(known, f.source)),
            )
            for f, what in told
        ]
        bits += _table(title, columns, facts)
    rows = [
        (
            *(k, " + ".join(r.chains), r.receptor_class, r.kind, ", ".join(r.kinases)),
            *(", ".join(r.factors), ", ".join(r.feedback), _cites(known, r.source)),
        )
        for k, r in receptors_of(known, key).items()
    ]
    named = ("receptor", "chains", "class", "kind", "kinases", "factors", "feedback", "source")
    bits += _table("Receptors", named, rows)
    numbers = [
        (r.quantity, r.of, f"{r.value:g} {r.unit}", r.printed, r.where, _cites(known, (r.source,)))
        for r in molecule.reported
    ]
    names = ("quantity", "of", "value", "as printed", "where", "source")
    return "".join([*bits, *_table("Numbers", names, numbers)])


def _table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return [f"<h2>{title}</h2><p>Unknown.</p>"]
    filled = [k for k in range(len(names)) if any(row[k] for row in rows)]
    head = "".join(f"<th>{names[k]}</th>" for k in filled)
    lines = [
        "<tr>"
        + "".join(
            f"<td>{row[k] if row[k].startswith('<a') else escape(row[k])}</td>" for k in filled
        )
        + "</tr>"
        for row in rows
    ]
    return [f"<h2>{title}</h2><table><tr>{head}</tr>{''.join(lines)}</table>"]


def _cites(known: Catalogue, keys: tuple[str, ...]) -> str:
    found = [(known.cited(key), key) for key in keys]
    return ", ".join(
        f'<a href="{escape(s.link)}" title="{escape(key)}">{escape(_short(s.cite))}</a>'
        for s, key in found
    )


def _short(cite: str) -> str:
    return cite if len(cite) <= CITED else cite[: CITED - 1].rstrip(" ,;:") + "…"


def draw(known: Catalogue, key: str) -> str:
    """SVG of a molecule: makers at the left, its subunits, receptors with their chains in a
    membrane and what they turn on in the middle, target cells at the right."""
    molecule = known.molecules[key]
    makers = _some([fact.cell for fact in molecule.made_by])
    targets = _some([fact.cell for fact, _ in actions(molecule)])
    heard = list(receptors_of(known, key).items())[:5]
    tallest = max((len({*r.chains}) for _, r in heard), default=0)
    height = max(ROW * max(len(makers), len(targets), 1) + 40, 250 + 14 * tallest)
    middle = WIDTH / 2
    parts = [_text(SIDE / 2, 16, "made by", bold=True)]
    parts.append(_text(WIDTH - SIDE / 2, 16, "acts on", bold=True))
    for k, cell in enumerate(makers):
        y = 28 + k * ROW
        parts += [_line((SIDE, y + ROW / 2 - 2), (middle - 30, 60)), _cell(0, y, cell)]
    for k, cell in enumerate(targets):
        y = 28 + k * ROW
        parts.append(_line((middle + 190, 158), (WIDTH - SIDE, y + ROW / 2 - 2)))
        parts.append(_cell(WIDTH - SIDE, y, cell))
    units = [g for g, count in molecule.subunits.items() for _ in range(count)]
    for k, gene in enumerate(units):
        x = middle + (k - (len(units) - 1) / 2) * 44
        parts.append(f'<circle cx="{x}" cy="60" r="20" fill="#D55E00" fill-opacity="0.85"/>')
        parts.append(_text(x, 64, gene, size=9, fill="white"))
    parts.append(f'<rect x="{middle - 190}" y="150" width="380" height="16" fill="#E9E2C8"/>')
    for k, (name, receptor) in enumerate(heard):
        x = middle + (k - (len(heard) - 1) / 2) * (380 / max(len(heard), 1))
        signal = any(b.effect == "signal" for b in receptor.binds.values())
        parts += _receptor(x, name, receptor, SIGNAL if signal else SILENT)
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(molecule.name)}"'
        f' font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    )


def _some(cells: list[str]) -> list[str]:
    distinct = list(dict.fromkeys(cells))
    rest = len(distinct) - MOST
    return distinct if rest <= 0 else [*distinct[:MOST], f"and {rest} more"]


def _receptor(x: float, name: str, receptor: Receptor, colour: str) -> list[str]:
    parts, width = [_text(x, 112, name, size=10, bold=True)], 8
    for k, chain in enumerate(receptor.chains):
        at = x + (k - len(receptor.chains) / 2) * (width + 3)
        parts.append(
            f'<rect x="{at}" y="120" width="{width}" height="72" rx="3" fill="{colour}">'
            f"<title>{escape(chain)}</title></rect>"
        )
    chains = list(dict.fromkeys(receptor.chains))
    told = [*chains, ", ".join(receptor.kinases[:3]), ", ".join(receptor.factors[:3])]
    for k, words in enumerate(filter(None, told)):
        parts.append(_text(x, 208 + 14 * k, words[:24], size=9))
    return parts


def _cell(x: float, y: float, name: str) -> str:
    box = f'<rect x="{x}" y="{y}" width="{SIDE}" height="{ROW - 5}" rx="10" fill="{CELL}"/>'
    return box + _text(x + SIDE / 2, y + 15, name, size=11)


def _line(start: tuple[float, float], end: tuple[float, float]) -> str:
    (a, b), (c, d) = start, end
    return f'<line x1="{a}" y1="{b}" x2="{c}" y2="{d}" stroke="#DDDDDD"/>'


def _text(
    x: float, y: float, words: str, size: int = 12, bold: bool = False, fill: str = "#222222"
) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = f'x="{x}" y="{y}" font-size="{size}" text-anchor="middle" fill="{fill}"{weight}'
    return f"<text {place}>{escape(words)}</text>"
