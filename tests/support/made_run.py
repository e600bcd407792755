"""A made-up run, as large as one likes, in the form of decision.json and figures.json."""

from __future__ import annotations

import numpy as np

PENALTIES = ("none", "l2", "l1", "elastic_net", "group_lasso", "sparse_group_lasso")
METRICS = {
    "classification": ("auroc", "accuracy", "average_precision", "log_loss"),
    "regression": ("r2", "rmse", "mae"),
}
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "=cmd|' /C calc'!A0",
    "\"'`&amp;{{7*7}}",
)
QUESTIONS = (
    ("subsample", "Can a sub-sample with the same distribution be taken?", "all", "measured"),
    ("resources", "Are there resources to validate?", "yes", "convention"),
    ("baseline", "Is the network without a penalty better than the constant predictor?", "yes", "measured"),
    ("regularizer", "Is any regularizer better than the baseline?", "unclear", "measured"),
    ("which", "Which of the contenders?", "group_lasso", "measured"),
    ("correlated", "Are the features correlated?", "no", "theory"),
    ("picture", "Is the entire picture needed?", "no", "convention"),
)


def interval(mean: float, half: float) -> dict:
    return {"mean": mean, "low": mean - half, "high": mean + half}


def made(
    task: str = "classification",
    variables: int = 12,
    classes: int = 2,
    units: int = 64,
    picture: tuple[int, int] | None = None,
    hostile: bool = False,
    strengths: int = 20,
    seed: int = 0,
) -> tuple[dict, dict]:
    """Return (summary, figures); the first variable is categorical with three levels."""
    rng = np.random.default_rng(seed)
    names = [f"x{i}" for i in range(variables)]
    if hostile:
        names[: len(HOSTILE)] = HOSTILE
    strong = min(4, variables)
    summary = _summary(task, names, classes, strong, rng)
    columns = [{"name": f"{names[0]}={level}", "variable": 0} for level in ("a", "b", "c")]
    columns += [{"name": n, "variable": i} for i, n in enumerate(names) if i > 0]
    shown = list(range(min(len(columns), 200)))
    figures = {
        "schema": 1,
        "variables": names,
        "columns": [columns[i] for i in shown],
        "columns_of": len(columns),
        "units": units,
        "skip": 1,
        "networks": [
            _network(p, s, [columns[i]["variable"] for i in shown], units + 1, strong, rng, at)
            for p in PENALTIES
            for at in (("best",) if p == "none" else ("best", "one_se"))
            for s in (0, 1)
        ],
        "candidates": _candidates(task, summary, variables, units, rng),
        "paths": {p: _path(p, variables, strengths, strong, rng) for p in PENALTIES if p != "none"},
        "predictions": _predictions(task, classes, rng),
        "data": {"names": names[:60], **_data(variables, rng)},
        "picture": _picture(picture, rng) if picture else None,
        "charts": _charts(),
        "size": {
            "rows": 64,
            "before": {"parameters": 9000, "multiply_adds": 600000, "milliseconds": 0.9},
            "after": {"parameters": 4000, "multiply_adds": 200000, "milliseconds": 0.4},
        },
        "stages": [{"stage": "looking at the table", "seconds": 0.4}, {"stage": "training networks", "seconds": 30.1}],
        "command": "riata choose 'a table.csv' --target y",
    }
    return summary, figures


def _summary(task, names, classes, strong, rng):
    metrics = METRICS[task]
    scores = {
        p: {m: interval(0.5 if p == "constant" else 0.7 + 0.01 * rng.standard_normal(), 0.02) for m in metrics}
        | ({} if p == "constant" else {"kept": float(strong + 3 * (p in ("none", "l2")))})
        for p in ("constant", *PENALTIES)
    }
    answers = [
        {
            "key": key, "question": text, "answer": answer, "kind": kind, "source": "Somebody 2001, eq. (3)",
            "why": "Because it matters.", "decided": key not in ("correlated", "picture"),
            "evidence": {"estimate": 0.01, "low": -0.01, "high": 0.03, "detail": {"p_better": 0.8}, "cost": "the folds",
                         "figure": {}},
        }
        for key, text, answer, kind in QUESTIONS
    ]  # fmt: skip
    share = [1.0] * strong + [round(float(v), 4) for v in rng.uniform(0, 0.6, len(names) - strong)]
    return {
        "schema": 1,
        "riata": "0.1.0",
        "table": {
            "name": "made", "target": "y", "task": task,
            "classes": [f"class {k}" for k in range(classes)] if task == "classification" else [],
            "columns": [
                {"name": n, "kind": "categorical" if i == 0 else "numeric", "levels": ["a", "b", "c"] if i == 0 else [],
                 "missing": 7 if i == 2 else 0, "note": ""}
                for i, n in enumerate(names)
            ],
            "left_out": [{"name": "id", "reason": "an identifier"}], "n": 1200, "dropped_rows": 0, "subjects": None,
            "warnings": [], "sha256": "0" * 64, "rows": 1200, "variables": len(names),
        },
        "task": task,
        "metric": metrics[0],
        "verdict": {"penalty": "group_lasso", "lam": 0.0131, "lam2": None, "dropout": 0.0, "early_stopping": True,
                    "relaxed": None},
        "evidence": "leaning",
        "contenders": ["group_lasso", "elastic_net"],
        "theory": {"penalty": "l1", "why": "Are the features correlated? no: L1 is safe."},
        "classic": {"penalty": "l1", "trace": [{"question": QUESTIONS[0][1], "answer": "all", "kind": "measured"}]},
        "answers": answers,
        "scores": scores,
        "final": {"method": "sealed rows", "rows": 240, **{m: interval(0.71, 0.03) for m in metrics},
                  "nested": {"method": "nested", "rows": 960, "picks": ["group_lasso"] * 5,
                             **{m: interval(0.7, 0.02) for m in metrics}}},
        "otherwise": [
            {"if": "the goal were selection (--goal selection)", "then": "group_lasso", "same": True},
            {"if": "nothing could be compared (--no-validation)", "then": "l1", "same": False},
        ],
        "kept": names[:strong],
        "dropped": names[strong:],
        "norms": {n: (1.0 - 0.1 * i if i < strong else 0.0) for i, n in enumerate(names)},
        "selection": {"shares": dict(zip(names, share, strict=True)), "stability": 0.83, "networks": 15},
        "kkt_max": 2.1e-3,
        "fits": 1500,
        "failed_fits": 2,
        "path": [],
        "plan": {"rows": 960, "folds": 5, "repeats": 1, "seeds": 3, "strengths": {}, "dropout": [0.0, 0.2],
                 "estimate_seconds": 30.0, "extended": []},
        "options": {"goal": "prediction", "budget": None, "seed": 0},
        "versions": {"python": "3.11.7", "torch": "2.13.0", "numpy": "2.0.0"},
        "seconds": 31.2,
        "warnings": ["10 strengths instead of 20 per penalty, for the budget"],
    }  # fmt: skip


def _network(penalty, seed, variable, width, strong, rng, at):
    variable = np.asarray(variable)
    w = rng.standard_normal((len(variable), width)) * np.where(variable < strong, 1.0, 0.1)[:, None]
    if penalty in ("l1", "elastic_net", "sparse_group_lasso"):
        w[rng.random(w.shape) < 0.7] = 0.0
    if penalty in ("group_lasso", "sparse_group_lasso"):
        w[variable >= strong + seed] = 0.0
    if penalty == "l2":
        w *= 0.3
    epochs = list(range(1, 41))
    curve = [0.7 * 0.95**e + 0.3 for e in epochs]
    valid = [c + 0.002 * max(0, e - 25) for c, e in zip(curve, epochs, strict=True)]
    counts, edges = np.histogram(w[w != 0], bins=30)
    return {
        "at": at, "penalty": penalty, "lam": 0.0 if penalty == "none" else 0.01, "dropout": 0.0, "fold": 0,
        "seed": seed,
        "kept": len(np.unique(variable[(w != 0).any(1)])), "weights_kept": int((w != 0).sum()),
        "weights_total": int(w.size), "largest": float(np.abs(w).max()), "best_epoch": 25, "epochs": 40, "status": "ok",
        "kkt": 1e-3, "first": np.round(w, 4).tolist(),
        "histogram": {"edges": edges.round(4).tolist(), "counts": counts.tolist(), "zeros": int((w == 0).sum())},
        "curves": {"epoch": epochs, "train": curve, "valid": valid,
                   "penalty": [0.1 * c for c in curve], "largest": [0.1 * e**0.5 for e in epochs],
                   "kept": [len(set(variable.tolist()))] * len(epochs)},
    }  # fmt: skip


def _candidates(task, summary, variables, units, rng):
    rows = []
    for name in ("constant", *PENALTIES):
        for dropout in (False,) if name == "constant" else (False, True):
            row = {"penalty": name, "dropout": dropout, "rate": [0.2] if dropout else [0.0], "lam": [0.01] * 5}
            row |= {m: dict(summary["scores"][name][m]) for m in METRICS[task]}
            row |= (
                {"kept": None, "weights_kept": None}
                if name == "constant"
                else {"kept": summary["scores"][name]["kept"], "weights_kept": float(variables * units)}
            )
            rows.append(row)
    return rows  # fmt: skip


def _path(penalty, variables, strengths, strong, rng):
    lams = (1.0 * 10 ** -np.linspace(0, 3, strengths)).tolist()
    top = list(range(min(variables, 60)))
    norms = [[max(0.0, (1.0 if v < strong else 0.2) - (lam * (2 if v < strong else 8))) for lam in lams] for v in top]
    loss = [0.6 + 0.02 * abs(i - strengths * 0.6) for i in range(strengths)]
    return {
        "lams": lams, "loss": loss, "se": [0.01] * strengths, "best": lams[int(strengths * 0.6)],
        "one_se": lams[int(strengths * 0.5)], "kept": [float(sum(n[i] > 0 for n in norms)) for i in range(strengths)],
        "variables": top, "norms": norms, "of": variables,
    }  # fmt: skip


def _predictions(task, classes, rng):
    if task == "regression":
        actual = rng.standard_normal(400)
        said = actual * 0.7 + 0.3 * rng.standard_normal(400)
        return {"actual": actual.round(4).tolist(), "predicted": said.round(4).tolist(), "rows": 400, "of": 960}
    x = np.linspace(0, 1, 40)
    return {
        "classes": [
            {
                "class": f"class {k}", "share": 0.5, "auroc": 0.71, "average_precision": 0.6,
                "roc": {"x": x.tolist(), "y": (x**0.5).tolist()},
                "precision_recall": {"x": x.tolist(), "y": (1 - 0.5 * x).tolist()},
                "calibration": [
                    {"predicted": p, "observed": min(1.0, p * 1.1), "low": max(0.0, p - 0.1), "high": min(1.0, p + 0.1),
                     "rows": 96}
                    for p in np.linspace(0.05, 0.95, 10)
                ],
            }
            for k in (range(1, 2) if classes == 2 else range(classes))
        ],
        "rows": 960,
    }  # fmt: skip


def _data(variables, rng):
    size = min(variables, 60)
    z = rng.standard_normal((200, size))
    if size > 3:
        z[:, 1] = z[:, 2] + 0.1 * rng.standard_normal(200)
    r = np.corrcoef(z.T).reshape(size, size)
    clusters = [0, 1, 1, *range(2, size - 1)] if size > 3 else list(range(size))
    return {
        "correlation": {"variables": list(range(size)), "matrix": r.round(3).tolist(), "cluster": clusters,
                        "of": variables, "threshold": 0.8, "rows": 200},
        "effective_rank": 9.1, "effective_rank_permuted": 11.2, "columns": variables + 2,
        "most_common": {"variables": list(range(size)), "share": [0.1] * size, "of": variables},
        "sample": {"rows": 960, "of": 4000, "of_variables": variables, "variables": list(range(size)),
                   "difference": [0.01 * i for i in range(size)], "limit": 0.1},
    }  # fmt: skip


def _picture(shape, rng):
    width, height = shape
    return {
        "width": width,
        "height": height,
        "images": [
            {"penalty": p, "values": [round(float(abs(v)), 4) for v in rng.standard_normal(width * height)]}
            for p in PENALTIES
        ],
    }


def _charts():
    kinds = {key: (text, kind) for key, text, _, kind in QUESTIONS}

    def nodes(keys, leaves):
        return [
            {"id": k, "leaf": False, "text": kinds[k][0], "why": "Because.", "kind": kinds[k][1], "source": "S"}
            for k in keys
        ] + [{"id": f"leaf:{name}", "leaf": True, "text": name} for name in leaves]

    def edge(a, b, answer, action=""):
        return {"from": a, "to": b, "answer": answer, "kind": kinds[a][1], "action": action}

    leaves = ("none", "l2", "l1", "elastic_net", "group_lasso", "sparse_group_lasso")
    default = {
        "name": "default", "start": "subsample",
        "nodes": nodes([q[0] for q in QUESTIONS], leaves),
        "edges": [
            edge("subsample", "resources", "yes"), edge("subsample", "resources", "all"),
            edge("subsample", "correlated", "no"),
            edge("resources", "baseline", "yes", "Train every candidate on the same folds"),
            edge("resources", "correlated", "no"),
            edge("baseline", "regularizer", "yes"), edge("baseline", "which", "no"),
            edge("regularizer", "which", "yes"), edge("regularizer", "which", "unclear"),
            edge("regularizer", "leaf:none", "no"), *[edge("which", f"leaf:{n}", n) for n in leaves],
            edge("correlated", "leaf:l2", "yes"), edge("correlated", "picture", "no"),
            edge("picture", "leaf:l2", "yes"), edge("picture", "leaf:l1", "no"),
        ],
        "walk": [{"key": "subsample", "answer": "all"}, {"key": "resources", "answer": "yes"},
                 {"key": "baseline", "answer": "yes"}, {"key": "regularizer", "answer": "unclear"},
                 {"key": "which", "answer": "group_lasso"}],
        "leaf": "group_lasso",
    }  # fmt: skip
    classic = {
        "name": "classic", "start": "subsample",
        "nodes": nodes(["subsample", "resources", "correlated", "picture"], ("l2", "l1")),
        "edges": [
            edge("subsample", "resources", "yes"), edge("subsample", "correlated", "no"),
            edge("resources", "correlated", "no"), edge("resources", "leaf:l1", "yes"),
            edge("correlated", "leaf:l2", "yes"), edge("correlated", "picture", "no"),
            edge("picture", "leaf:l2", "yes"), edge("picture", "leaf:l1", "no"),
        ],
        "walk": [{"key": "subsample", "answer": "yes"}, {"key": "resources", "answer": "yes"}],
        "leaf": "l1",
    }  # fmt: skip
    return {"default": default, "classic": classic}
