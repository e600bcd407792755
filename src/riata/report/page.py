"""The report: one self-contained page that a browser draws without asking anybody for anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..plots.names import NAMES
from ..plots.script import bundle, json_for_script, sha256_source
from ..plots.theme import config
from . import cohort, verdict
from .certificate import certificates, stages
from .csv import candidates, variables
from .text import number, printable, variants_dropped, with_interval

if TYPE_CHECKING:
    from ..plots.plot import Plot

Data = Mapping[str, Any]
SECTIONS = {
    "sure": ("scores",),
    "cohort": ("views",),
    "why": ("flowchart",),
    "keeps": ("variants", "stability", "heatmap", "seeds", "picture"),
    "representation": ("representation", "representation_views"),
    "path": ("path", "cohort_path"),
    "training": ("learning", "weights", "roc", "precision_recall", "calibration", "predicted", "residuals"),
    "data": ("correlation", "sparsity", "sample"),
}
"""Figures of each section; one that no section names is put below the data."""
CANVAS = ("heatmap", "seeds", "correlation", "picture", "predicted", "residuals", "variants", "representation")
"""Figures of many marks, drawn on a canvas; the others are SVG."""
FITS = {
    "flowchart": "none", "correlation": "none", "seeds": "none", "heatmap": "fold", "picture": "fold",
    "representation": "fold",
}  # fmt: skip
"""How a figure gives way where the page is narrow: not at all, by fewer panels in a row, or (the others) also by
narrower panels; what is still too wide scrolls in its frame."""
CHIPS = 400
"""Most variables named on buttons; the table's CSV names all."""
ORDERS = {"norm": "strongest first", "name": "by name", "table": "as in the table"}


@dataclass(frozen=True)
class Variant:
    """One drawing of a figure: a figure may have several to choose from."""

    key: str
    label: str
    message: str
    json: Markup


@dataclass(frozen=True)
class Drawn:
    """A figure of the page."""

    name: str
    title: str
    how: str
    variants: tuple[Variant, ...]
    orders: tuple[tuple[str, str], ...]
    renderer: str
    fit: str


def render_html(summary: Data, figures: Data | None = None) -> str:
    """Return the report as HTML; without ``figures`` it has the words and the tables only.

    Every name and cell is escaped, nothing is fetched, and the same input gives the same bytes.
    """
    template = environment().get_template("page.html.j2")
    with ThreadPoolExecutor(1) as aside:  # packing the libraries takes as long as drawing
        libraries = aside.submit(bundle) if figures else None
        drawn = dict(drawings(summary, figures)) if figures else {}
    chips = [*summary["kept"][:CHIPS], *summary["dropped"][:CHIPS]]
    scripts = [script("page.js")]
    if drawn and libraries:
        scripts.insert(0, Markup(libraries.result()))
    page = template.render(
        s=summary,
        words=verdict,
        names=NAMES,
        css=Markup(text_of("page.css")),
        scripts=scripts,
        hashes=" ".join(map(sha256_source, scripts)),
        themes=themes() if drawn else None,
        drawn=drawn,
        sections=placed(drawn),
        sheets={
            "candidates": candidates(summary, figures),
            "variables": variables(summary),
            **cohort.sheets(summary, figures),
        },
        cohort=cohort,
        variants_dropped=variants_dropped(summary),
        facts=certificates(summary, figures),
        stages=stages(figures),
        following=verdict.following(summary, figures),
        walk=ways(figures),
        chips=chips,
        most=CHIPS,
    )
    return page.strip() + "\n"


def environment() -> Environment:
    """Return the template environment: everything escaped, control characters blanked."""
    env = Environment(
        loader=PackageLoader("riata", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    env.filters["number"] = number
    env.filters["interval"] = with_interval
    return env


def text_of(name: str) -> str:
    """Return a file of this package, with Unix line ends as a browser hashes them."""
    return files("riata.report").joinpath(name).read_text(encoding="utf-8").replace("\r\n", "\n")


def script(name: str) -> Markup:
    """Return a script of this package, as it stands in the page."""
    return Markup(text_of(name))


def themes() -> Markup:
    """Return the configurations for light and dark paper."""
    return Markup(json_for_script({"light": config(), "dark": config(dark=True)}))


def drawings(summary: Data, figures: Data) -> Iterator[tuple[str, Drawn]]:
    """Yield every figure that this run holds something for."""
    from ..plots.registry import PLOTS

    for plot in PLOTS:
        found = drawing(plot, summary, figures)
        if found:
            yield plot.name, found
        if plot.name == "flowchart" and differs(figures):
            classic = drawing(plot, summary, figures, "classic", "The classic chart", which="classic")
            if classic:
                yield "classic", classic


def drawing(plot: Plot, summary: Data, figures: Data, name: str = "", title: str = "", **how: Any) -> Drawn | None:
    """Return a figure with all its variants; None where the run holds nothing for it."""
    if plot.variants and not how:
        asked = plot.variants(summary, figures)
    elif plot.name == "path":
        asked = [(p, NAMES.get(p, p), {"penalty": p}) for p in chosen_first(summary, figures.get("paths") or {})]
    else:
        asked = [(name or plot.name, "", how)]
    variants: list[Variant] = []
    orders: tuple[tuple[str, str], ...] = ()
    for key, label, given in asked:
        data = plot.data(summary, figures, **given)
        if data is None:
            continue
        message = printable(plot.message(data))
        variants.append(Variant(key, label, message, packed(plot, data, message)))
        orders = tuple((k, ORDERS.get(k, k)) for k in data.get("orders") or ())
    if not variants:
        return None
    return Drawn(
        name or plot.name,
        title or plot.title,
        "" if name else plot.how,
        tuple(variants),
        orders,
        "canvas" if plot.name in CANVAS else "svg",
        FITS.get(plot.name, "all"),
    )


def packed(plot: Plot, data: Data, message: str) -> Markup:
    """Return what the page's script needs of a drawing, as JSON."""
    from altair.utils.schemapi import debug_mode

    from ..plots.save import spec_of

    with debug_mode(False):  # every part would be checked against the schema when it is made; tests do that
        spec = spec_of(plot.draw(data))
    value = {"spec": spec, "message": message, "orders": data.get("orders") or {}}
    return Markup(json_for_script(value))


def chosen_first(summary: Data, paths: Data) -> list[str]:
    """Return the penalties with a path, the verdict's first."""
    leaf = summary["verdict"]["penalty"]
    return sorted(paths, key=lambda p: p != leaf)


def differs(figures: Data) -> bool:
    """Return whether the classic chart was walked to another leaf."""
    charts = figures.get("charts") or {}
    default, classic = charts.get("default"), charts.get("classic")
    return bool(default and classic and classic.get("leaf") != default.get("leaf"))


def ways(figures: Data | None) -> list[dict[str, str]]:
    """Return the walked way of the default chart in words: question, answer."""
    chart = ((figures or {}).get("charts") or {}).get("default") or {}
    asked = {node["id"]: node["text"] for node in chart.get("nodes") or ()}
    return [{**step, "question": asked.get(step["key"], step["key"])} for step in chart.get("walk") or ()]


def placed(drawn: Mapping[str, Drawn]) -> dict[str, list[Drawn]]:
    """Return the figures of each section, in order."""
    sections = {key: [drawn[n] for n in names if n in drawn] for key, names in SECTIONS.items()}
    named = {n for names in SECTIONS.values() for n in names} | {"classic"}
    sections["why"] += [drawn["classic"]] if "classic" in drawn else []
    sections["data"] += [d for n, d in drawn.items() if n not in named]
    return sections
