"""Pictures of a tissue in space: one cytokine, bacteria and cells, at some times and as a film."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import EllipseCollection
from matplotlib.colors import LinearSegmentedColormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from PIL import Image

from polycrine.catalogue.library import catalogue
from polycrine.report.figures import INK, WIDTH, lay_out
from polycrine.report.findings import STIMULI, Findings, display, listed, plain
from polycrine.units import express

Floats = NDArray[np.float64]
FIELD = LinearSegmentedColormap.from_list("field", ["#E9EFF5", "#B7CDE1", "#7CA3C7", "#35648F"])
MOBILE = ("#D55E00", "#C51B7D", "#F2CF45", "#007A5A", "#555555")
DECADES, DARK = 2.5, 0.8
BAR, PICTURES, FRAMES, PIXELS, LASTS_MS, HOLDS_MS = 100, 8, 48, 480, 350, 1500


@dataclass(frozen=True)
class View:
    """What is drawn of one sample: means (level) and sums (bacteria) through the depth.

    level and bacteria: over frame, y, x; cells: rows with frame, kind, x, y; size: x, y and depth
    (um); fixed: kinds of which no cell moves; unevenness: the highest over the lowest level within
    each picture that is not as good as empty.
    """

    analyte: str
    unit: str
    hours: Floats
    level: Floats
    bacteria: Floats
    cells: pd.DataFrame
    radius: dict[str, float]
    fixed: list[str]
    size: tuple[float, float, float]
    unevenness: Floats


def read_view(findings: Findings) -> View | None:
    """The view of the first sample; None without pictures."""
    tissue = findings.run.tissue
    if tissue is None:
        return None
    own = tissue.sel(sample=findings.first)
    fields, fluids = own.field.values.astype(float), [str(name) for name in own.fluid.values[:-1]]
    known = catalogue().molecules
    rises = {
        name: fields[:, k].mean(axis=(1, 2, 3)).max() / max(fields[0, k].mean(), 1e-3)
        for k, name in enumerate(fluids)
        if name in findings.model.cytokines and known[name].kind not in STIMULI
    }
    analyte = max(rises, key=lambda name: rises[name])
    free = fields[:, fluids.index(analyte)]
    unit = known[analyte].panel_unit
    factor = express(1.0, unit, catalogue().active_form(analyte))
    if unit == "pg/mL" and factor * free.max() >= 1e3:
        unit, factor = "ng/mL", factor / 1e3
    cells = _cells(findings)
    depth, height, width = (float(tissue.voxel) * count for count in free.shape[1:])
    return View(
        analyte,
        unit,
        own.frame.values / 60,
        factor * free.mean(axis=1),
        fields[:, -1].sum(axis=1),
        cells,
        {str(kind): float(r) for kind, r in zip(own.kind.values, own.radius.values, strict=True)},
        _fixed(cells),
        (width, height, depth),
        _unevenness(free),
    )


def draw_times(findings: Findings, view: View) -> Figure:
    """The view at the start and at times that lie further and further apart."""
    frames = _spread(len(view.hours))
    across = min(4, len(frames))
    down = -(-len(frames) // across)
    tall = view.size[1] / view.size[0]
    figure = Figure((WIDTH, 0.9 + down * (0.3 + 2.1 * tall)), layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, frame in zip(axes, frames, strict=False):
        scene = Scene(axis, view)
        scene.show(frame)
        axis.set_title(f"{plain(view.hours[frame])} h")
    for axis in axes[len(frames) :]:
        axis.axis("off")
    _scale_bar(axes[0], view)
    _key(figure, findings, view, columns=7)
    bar = figure.colorbar(scene.image, ax=axes, extend="min", fraction=0.03, shrink=0.6, pad=0.01)
    _tidy(bar, view)
    return figure


def draw_film(findings: Findings, view: View, file: Path) -> Path:
    """The view over all frames as a small moving picture; long runs skip frames."""
    tall = view.size[1] / view.size[0]
    figure = Figure((4.8, 1.15 + 4.05 * tall), dpi=PIXELS / 4.8, layout="constrained")
    axis = figure.subplots()
    scene = Scene(axis, view)
    _scale_bar(axis, view)
    _key(figure, findings, view, columns=3)
    bar = figure.colorbar(scene.image, ax=axis, extend="min", fraction=0.05, shrink=0.7, pad=0.02)
    _tidy(bar, view)
    canvas: Any = FigureCanvasAgg(figure)
    title = axis.set_title("0 h")
    lay_out(figure)
    # what stays is drawn once
    moving = (*scene.artists, *axis.spines.values(), title)
    for artist in moving:
        artist.set_animated(True)
    canvas.draw()
    background, images = canvas.copy_from_bbox(figure.bbox), []
    for frame in range(0, len(view.hours), -(-len(view.hours) // FRAMES)):
        scene.show(frame)
        title.set_text(f"{plain(view.hours[frame])} h")
        canvas.restore_region(background)
        for artist in moving:
            axis.draw_artist(artist)
        images.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
    lasts = [LASTS_MS] * (len(images) - 1) + [HOLDS_MS]
    first, *others = images
    first.save(
        file, save_all=True, append_images=others, duration=lasts, loop=0, quality=85, method=2
    )
    return file


def caption(findings: Findings, view: View) -> str:
    """What the pictures show, and how even the field is."""
    x, y, depth = map(plain, view.size)
    most, usual = plain(np.nanmax(view.unevenness)), plain(np.nanmedian(view.unevenness))
    when = plain(view.hours[np.nanargmax(view.unevenness)])
    fixed = listed([findings.short(kind) for kind in view.fixed])
    pale = f"; pale, and fixed in their places: {fixed}" if fixed else ""
    crowd, column = plain(view.bacteria.max()), plain(view.size[0] / view.bacteria.shape[2])
    sentences = (
        f"{findings.first[:1].upper()}{findings.first[1:]}: a piece of {findings.tissue},"
        f" {x} × {y} × {depth} µm, seen from above.",
        f"Colour: free {display(view.analyte)}, the cytokine that rises most, in {view.unit} of"
        " fluid, mean through the depth, on a log scale.",
        f"Within one picture the highest level is at most {most} times the lowest (at {when} h),"
        f" and {usual} times in the median picture.",
        f"Dark: bacteria through the whole depth, darkest at {crowd} on {column} × {column} µm."
        if view.bacteria.any()
        else "",
        f"Cells are drawn to scale{pale}.",
    )
    return " ".join(filter(None, sentences))


class Scene:
    """One axes with the field, bacteria and cells of a view, which can be moved to any frame."""

    def __init__(self, axis: Axes, view: View) -> None:
        self.view = view
        width, height, _ = view.size
        top = max(view.level.max(), 1e-12)
        norm = LogNorm(top / 10**DECADES, top)
        look: dict[str, Any] = {"cmap": FIELD, "norm": norm, "interpolation": "bilinear"}
        box = (0, width, 0, height)
        self.image = axis.imshow(view.level[0], origin="lower", extent=box, **look)
        axis.set(xlim=(0, width), ylim=(0, height), xticks=[], yticks=[])
        axis.grid(visible=False)
        axis.spines[:].set(visible=True)
        colours = _colours(view)
        self.cells = {kind: self._circles(axis, 2 * r) for kind, r in view.radius.items()}
        for kind, circles in self.cells.items():
            if kind in view.fixed:
                circles.set(
                    facecolor="white", edgecolor="none", alpha=0.4, zorder=2.5, rasterized=True
                )
            else:
                circles.set(facecolor=colours[kind], edgecolor="white", linewidth=0.4, zorder=3)
        shade = ListedColormap([(0, 0, 0, DARK * k / 255) for k in range(256)])
        dark = Normalize(0, max(view.bacteria.max(), 1e-12))
        look |= {"cmap": shade, "norm": dark}
        self.bacteria = axis.imshow(view.bacteria[0], origin="lower", extent=box, zorder=2, **look)

    @property
    def artists(self) -> list[Artist]:
        """What changes from frame to frame, from back to front."""
        own = [self.image, self.bacteria, *self.cells.values()]
        return sorted(own, key=lambda artist: artist.get_zorder())

    def show(self, frame: int) -> None:
        """Move every artist to this frame."""
        view = self.view
        self.image.set_data(np.maximum(view.level[frame], 1e-12))
        now = view.cells[view.cells.frame == frame]
        for kind, circles in self.cells.items():
            circles.set_offsets(now.loc[now.kind == kind, ["x", "y"]].to_numpy())
        self.bacteria.set_data(view.bacteria[frame])

    @staticmethod
    def _circles(axis: Axes, across: float) -> EllipseCollection:
        circles = EllipseCollection(
            across, across, 0, units="xy", offsets=np.zeros((0, 2)), transOffset=axis.transData
        )
        axis.add_collection(circles, autolim=False)
        return circles


def _fixed(cells: pd.DataFrame) -> list[str]:
    """Kinds that are there from the first to later pictures and of which no cell moves."""
    seen = cells.groupby(["kind", "id"])
    moved = seen[["x", "y"]].agg(np.ptp).max(axis=1).groupby("kind").max() > 0
    stays = seen.frame.nunique().groupby("kind").max() > 1
    there = cells.kind[cells.frame == 0].unique()
    return [kind for kind in there if stays[kind] and not moved[kind]]


def _unevenness(free: Floats) -> Floats:
    pictures = free.reshape(len(free), -1)
    mean, least = pictures.mean(axis=1), np.maximum(pictures.min(axis=1), 1e-12)
    return np.where(mean >= mean.max() / 10**DECADES, pictures.max(axis=1) / least, np.nan)


def _cells(findings: Findings) -> pd.DataFrame:
    tissue = findings.run.tissue
    assert tissue is not None
    names = ("sample", "frame", "kind", "id", "x", "y")
    table = pd.DataFrame({name: tissue[f"cell_{name}"].values for name in names})
    kinds = dict(enumerate(map(str, tissue.kind.values)))
    return table[table["sample"] == 0].assign(kind=table.kind.map(kinds))


def _spread(count: int) -> list[int]:
    """The first frame and others that lie further and further apart, up to the last."""
    frames = [0]
    for frame in np.geomspace(1, max(count - 1, 1), PICTURES - 1):
        frames.append(max(round(frame), frames[-1] + 1))
    return [frame for frame in frames if frame < count]


def _colours(view: View) -> dict[str, str]:
    mobile = [kind for kind in view.radius if kind not in view.fixed]
    return {kind: MOBILE[k % len(MOBILE)] for k, kind in enumerate(mobile)}


def _scale_bar(axis: Axes, view: View) -> None:
    low = -0.05 * view.size[1]
    axis.plot([0, BAR], [low, low], "-", c=INK, lw=2.5, solid_capstyle="butt", clip_on=False)
    axis.text(1.08 * BAR, low, f"{BAR} µm", va="center")


def _key(figure: Figure, findings: Findings, view: View, columns: int) -> None:
    look: dict[str, Any] = {"ls": "none", "marker": "o", "mec": "#888888", "mew": 0.5}
    marks = [
        Line2D([], [], c=colour, ms=3.5 + view.radius[kind] / 2.5, **look)
        for kind, colour in _colours(view).items()
    ]
    names = [findings.short(kind) for kind in _colours(view)]
    if view.bacteria.any():
        marks.append(Line2D([], [], c="#333333", ms=7, ls="none", marker="s", mew=0))
        names.append("bacteria")
    if view.fixed:
        marks.append(Line2D([], [], c="#DCE6EF", ms=5.5, **look))
        names.append("tissue cells")
    figure.legend(marks, names, loc="outside upper left", ncols=columns)


def _tidy(bar: Any, view: View) -> None:
    bar.set_label(f"{display(view.analyte)} ({view.unit})")
    bar.outline.set_visible(False)
    ticks = [n * 10.0**k for k in range(-6, 7) for n in (1, 2, 5)]
    low, high = bar.vmin, bar.vmax
    shown = [tick for tick in ticks if low <= tick <= high]
    bar.set_ticks(shown, labels=[plain(tick) for tick in shown], minor=False)
    bar.ax.minorticks_off()
