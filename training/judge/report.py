"""One self-contained HTML file about a model: tables, curves, neighbours, a map of occupations."""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from rolecall.encoder.document import Document, told
from rolecall.encoder.model import Encoder
from rolecall.encoder.usage import stability, usage
from rolecall.training.data.ontology import Occupation, Split
from rolecall.training.judge import evaluate
from rolecall.training.judge.evaluate import Floats, Pairs

mpl.use("Agg")
BINS = 15
NEIGHBOURS = 5
MAP_OCCUPATIONS = 1_500
INK, ACCENT, PALE = "#1c2733", "#0b7285", "#c9d6df"
MAJOR_GROUPS = (
    "Armed forces",
    "Managers",
    "Professionals",
    "Technicians",
    "Clerks",
    "Services and sales",
    "Agriculture",
    "Crafts",
    "Plant operators",
    "Elementary",
)
STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1c2733;
  max-width: 62rem; margin: 3rem auto; padding: 0 1rem }
h1 { font-size: 1.9rem; margin-bottom: 0 } h2 { margin-top: 2.8rem; font-size: 1.25rem }
p.sub, figcaption, .dim { color: #5b6b7a } figure { margin: 1rem 0 } img { max-width: 100% }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .35rem .7rem; border-bottom: 1px solid #e3e9ee; vertical-align: top }
th { font-weight: 600 } td.n, th.n { text-align: right } td.best { font-weight: 700; color: #0b7285 }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1.5rem }
code { background: #f1f5f8; padding: .1rem .3rem }
"""


def write(encoder: Encoder, split: Split, table: Mapping[str, Mapping[str, float]]) -> str:
    """table: system -> measure -> figure. The encoder is the last system."""
    pairs = evaluate.held_out_pairs(encoder.encode, split.test, split)
    confidence = pairs.confidence(encoder.calibration)
    ece = evaluate.calibration_error(encoder.calibration, pairs)
    areas = evaluate.garbage_auroc(encoder.encode, split.test)
    sections = [
        f"<h1>rolecall encoder {escape(encoder.version)}</h1>"
        f"<p class='sub'>{encoder.dims} dimensions, judged on {len(split.test)} occupations that were held "
        f"out with all their titles; {len(split.train):,} were trained on.</p>",
        "<h2>Finding the right ones</h2>" + _figures_table(table),
        "<h2>Can its confidence be believed?</h2><div class='pair'>"
        + _figure(_reliability(confidence, pairs), f"Reliability. Expected calibration error {ece:.3f}.")
        + _figure(_score_histogram(pairs), "Scores of the ten best hits: matches and others.")
        + "</div>",
        "<h2>Does it know when it does not know?</h2>"
        + _figure(
            _certainties(encoder, split), f"Certainty. Mean AUROC against garbage {areas['mean']:.3f}."
        ),
        "<h2>Nearest neighbours</h2><p class='sub'>Titles the model never saw, among all titles.</p>"
        + _neighbours(encoder, split),
        "<h2>What two documents share</h2>" + _explanations(encoder),
        "<h2>How its features are used</h2>" + _drift(encoder, split),
        "<h2>The labour market</h2>"
        + _figure(_map(encoder, split), "Preferred labels of ESCO by t-SNE, coloured by ISCO major group."),
    ]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>rolecall encoder {escape(encoder.version)}</title><style>{STYLE}</style>"
        f"<body>{''.join(sections)}</body></html>"
    )


def _figures_table(table: Mapping[str, Mapping[str, float]]) -> str:
    measures = list(next(iter(table.values())))
    rows = []
    for measure in measures:
        best = max(figures[measure] for figures in table.values())
        cells = "".join(
            f"<td class='n{' best' if figures[measure] == best else ''}'>{figures[measure]:.3f}</td>"
            for figures in table.values()
        )
        rows.append(f"<tr><td>{escape(measure)}</td>{cells}</tr>")
    head = "".join(f"<th class=n>{escape(name)}</th>" for name in table)
    return f"<table><tr><th>measure</th>{head}</tr>{''.join(rows)}</table>"


def _figure(picture: Figure, caption: str) -> str:
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", dpi=130, bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    return (
        f"<figure><img alt='{escape(caption)}' src='data:image/png;base64,{data}'>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _drift(encoder: Encoder, split: Split) -> str:
    """Held-out titles against the training texts. It shows the index of texts that did not drift."""
    if encoder.usage is None:
        return "<p>This model was saved without the reference that drift is measured against.</p>"
    found = encoder.encode(evaluate.titles_of(split.test).documents)
    now = usage(found.vectors, found.certainty, encoder.groups, "held-out titles")
    groups = stability(np.array(encoder.usage.values), np.array(now.values))  # (groups,)
    certainty = stability(np.array(encoder.usage.certainty), np.array(now.certainty))
    return (
        f"<p>Population stability index of {now.documents:,} held-out titles against "
        f"{encoder.usage.documents:,} {escape(encoder.usage.texts)}: values {groups.mean():.3f} on average "
        f"and {groups.max():.3f} in the group that changed most, certainty {float(certainty):.3f}. Above 0.1 "
        "something has changed, above 0.25 retrain; <code>rolecall drift</code> measures live events.</p>"
    )


def _reliability(confidence: Floats, pairs: Pairs) -> Figure:
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    seen = counts > 0
    said = np.bincount(place, confidence, BINS)[seen] / counts[seen]
    was = np.bincount(place, pairs.match, BINS)[seen] / counts[seen]
    picture = Figure(figsize=(5, 4.4))
    axes = picture.subplots()
    axes.plot([0, 1], [0, 1], color=PALE, linestyle="--")
    axes.scatter(said, was, s=10 + 200 * counts[seen] / counts.max(), color=ACCENT, alpha=0.8)
    axes.plot(said, was, color=ACCENT)
    axes.set(xlabel="confidence", ylabel="share of matches", xlim=(0, 1), ylim=(0, 1))
    axes.spines[["top", "right"]].set_visible(False)
    return picture


def _score_histogram(pairs: Pairs) -> Figure:
    picture = Figure(figsize=(5, 4.4))
    axes = picture.subplots()
    for match, color, name in ((False, PALE, "another occupation"), (True, ACCENT, "same occupation")):
        chosen = pairs.score[pairs.match == match]
        axes.hist(chosen, bins=50, range=(0, 1), color=color, alpha=0.75, label=name, density=True)
    axes.set(xlabel="score", yticks=[])
    axes.legend(frameon=False)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return picture


def _certainties(encoder: Encoder, split: Split) -> Figure:
    kinds = {"titles": evaluate.titles_of(split.test).documents, **evaluate.garbage_of(split.test)}
    rows = [encoder.encode(documents).certainty for documents in kinds.values()]
    picture = Figure(figsize=(9, 3.2))
    axes = picture.subplots()
    parts = axes.violinplot(rows, orientation="horizontal", showmedians=True, widths=0.85)
    bodies: Any = parts["bodies"]
    for body, kind in zip(bodies, kinds, strict=True):
        body.set_facecolor(ACCENT if kind == "titles" else PALE)
        body.set_alpha(0.9)
    axes.set(yticks=range(1, len(kinds) + 1), yticklabels=list(kinds), xlabel="certainty", xlim=(0, 1))
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    return picture


def _neighbours(encoder: Encoder, split: Split) -> str:
    corpus = evaluate.titles_of([*split.test, *split.validation, *split.train])
    vectors = encoder.encode(corpus.documents).vectors
    every = max(1, len(split.test) // 14)
    rows = []
    for occupation in range(0, len(split.test), every):
        query = int(np.flatnonzero(corpus.occupations == occupation)[0])
        scores = vectors @ vectors[query]
        scores[query] = -1
        found = [
            f"{'<b>' if corpus.occupations[n] == occupation else ''}{escape(corpus.documents[n].title)}"
            f"{'</b>' if corpus.occupations[n] == occupation else ''} <span class=dim>{scores[n]:.2f}</span>"
            for n in np.argsort(-scores)[:NEIGHBOURS]
        ]
        title = escape(corpus.documents[query].title)
        rows.append(f"<tr><td>{title}</td><td>{', '.join(found)}</td></tr>")
    return f"<table><tr><th>title</th><th>nearest (bold: same occupation)</th></tr>{''.join(rows)}</table>"


def _explanations(encoder: Encoder) -> str:
    pairs = (
        (Document("Senior Java Developer"), Document("Backend Software Engineer")),
        (
            Document("ICU Nurse", text="Monitor patients on ventilators."),
            Document("Critical Care Registered Nurse"),
        ),
        (Document("Head Chef"), Document("Restaurant Cook")),
        (Document("Truck Driver"), Document("Data Scientist")),
    )
    rows = []
    for a, b in pairs:
        found = encoder.encode([a, b])
        score = found.vectors[:1] @ found.vectors[1]
        sure = encoder.confidence(score, found.certainty[:1], found.certainty[1:], told(a), told(b))
        confidence = float(sure[0])
        shared = encoder.features.explain(found.vectors[0], found.vectors[1])
        why = "<br>".join(f"{escape(s.name)} <span class=dim>{s.share:.0%}</span>" for s in shared)
        rows.append(
            f"<tr><td>{escape(a.title)}<br>{escape(b.title)}</td>"
            f"<td class=n>{confidence:.2f}</td><td>{why}</td></tr>"
        )
    return f"<table><tr><th>pair</th><th class=n>confidence</th><th>shared</th></tr>{''.join(rows)}</table>"


def _map(encoder: Encoder, split: Split) -> Figure:
    occupations = _spread([o for o in [*split.train, *split.test] if o.source == "esco"] or split.train)
    vectors = encoder.encode([Document(o.titles[0]) for o in occupations]).vectors
    near = min(30, max(2, len(vectors) // 4))
    places = TSNE(perplexity=near, init="pca", random_state=0, metric="cosine").fit_transform(vectors)
    picture = Figure(figsize=(9.5, 7.5))
    axes = picture.subplots()
    colors = mpl.colormaps["tab10"]
    groups = np.array([o.branch[:1] for o in occupations])
    for place, group in enumerate(sorted(set(groups.tolist()))):
        name = MAJOR_GROUPS[int(group)] if group.isdigit() else "occupations"
        chosen = places[groups == group]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=9, color=colors(place), label=name, alpha=0.8)
    for n in range(0, len(occupations), max(1, len(occupations) // 45)):
        axes.annotate(occupations[n].titles[0], places[n], fontsize=6, color=INK)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    axes.set_axis_off()
    return picture


def _spread(occupations: Sequence[Occupation]) -> list[Occupation]:
    every = max(1, -(-len(occupations) // MAP_OCCUPATIONS))
    return list(occupations[::every])
