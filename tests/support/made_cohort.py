"""A made-up decision on a clinical table with half a million variants, as decision.json and figures.json have it."""

from __future__ import annotations

import numpy as np

LENGTHS = (248, 242, 198, 190, 181, 170, 159, 145, 138, 133, 135, 133, 114, 107, 102, 90, 83, 80, 58, 64, 46, 50)
PENALTIES = ("none", "l2", "l1", "elastic_net", "group_lasso")
VARIANTS, KEPT = 500_000, 14
LEVELS = {"clinical": 0.802, "genetic": 0.731, "combined": 0.842}
METRICS = {"classification": ("auroc", "accuracy", "average_precision"), "regression": ("r2", "rmse", "mae")}
EVIL = "<script>alert(3)</script>"


def with_cohort(
    summary: dict, figures: dict, *, hostile: bool = False, placed: bool = True, seed: int = 0
) -> tuple[dict, dict]:
    """Return a made-up run with the parts of a cohort: 3,000 people, 500,000 variants, 14 of them kept."""
    rng = np.random.default_rng(seed)
    names = [f"rs{int(n)}" for n in rng.choice(90_000_000, KEPT, replace=False) + 10_000_000]
    if hostile:
        names[0] = EVIL
    chromosome, position = _places(rng)
    norms = np.round(np.sort(rng.gamma(2, 0.12, KEPT))[::-1] + 0.02, 4)
    clusters = _clusters(names, chromosome if placed else None, position, norms, rng)
    clinical = summary["kept"]
    summary = summary | {
        "kept": [*clinical, *names],
        "norms": summary["norms"] | dict(zip(names, norms.tolist(), strict=True)),
        "cohort": {
            "people": 3000, "variants": VARIANTS, "monomorphic": 5512, "missing_calls": 1_200_345,
            "allele": "The counted allele is the first of the .bim file.",
            "match": "3000 people are in both files; 12 are only in the table and 40 only in the genotypes.",
            "unpenalised": ["x0"],
            "views": _views(summary["task"], rng),
            "clusters": clusters, "certificate": {"outside": 0.99896, "inside": 1e-4, "passes": 9, "lam_max": 0.05},
            "stability": {
                "halves": 100, "most": 700, "threshold": 0.75, "bound": 0.98,
                "selected": [c["lead"] for c in clusters[:7]],
                "shares": dict(zip(names, np.linspace(1, 0.31, KEPT).round(3).tolist(), strict=True)),
                "agreement": 0.61,
            },
        },
    }  # fmt: skip
    lead = {name: c["lead"] for c in clusters for name in (c["lead"], *c["members"])}
    none = [None] * KEPT
    figures = figures | {
        "cohort": {
            "variants": {
                "name": names, "chromosome": chromosome if placed else none,
                "position": position if placed else [int(p) // 500 for p in position],
                "norm": norms.tolist(), "cluster": [lead[n] for n in names],
            },
            "skyline": _skyline(chromosome, position, placed, rng),
            "chromosomes": [{"name": str(i + 1), "length": n * 1_000_000} for i, n in enumerate(LENGTHS)]
            if placed else [],
            "path": _path(names, norms, clinical, rng),
            "representation": _representation(figures["variables"], rng),
            "representation_views": _views(summary["task"], rng),
        }
    }  # fmt: skip
    return summary, figures


def _places(rng):
    leads = rng.choice(22, 9)
    chromosome = [int(leads[i % 9]) for i in range(KEPT)]
    start = {i: rng.integers(1, LENGTHS[leads[i]] * 1_000_000) for i in range(9)}
    position = [int(start[i % 9] + (i // 9) * rng.integers(1_000, 400_000)) for i in range(KEPT)]
    return [str(c + 1) for c in chromosome], position


def _clusters(names, chromosome, position, norms, rng):
    return [
        {
            "lead": names[i], "chromosome": chromosome[i] if chromosome else None,
            "position": position[i] if chromosome else None, "members": names[i + 9 : i + 10],
            "r2": [round(float(rng.uniform(0.2, 0.95)), 3)] * len(names[i + 9 : i + 10]), "norm": float(norms[i]),
            "share": round(1 - 0.07 * i, 2), "companions": [f"near{i}", f"far{i}"][: i % 3],
            "companions_r2": [0.93, 0.61][: i % 3],
        }
        for i in range(9)
    ]  # fmt: skip


def _views(task, rng):
    views = {}
    for view, level in LEVELS.items():
        views[view] = {}
        for penalty in PENALTIES:
            if view != "clinical" and penalty in ("none", "l2"):
                views[view][penalty] = {"why_not": "keeps every one of 500,000 variants: it does not fit into memory"}
                continue
            row = {"lam": [0.01, 0.012, 0.01, 0.009, 0.01], "kept_variants": 0.0 if view == "clinical" else 21.4}
            row |= {"kept_clinical": 0.0 if view == "genetic" else 6.2, "per_fold": {}}
            for metric in METRICS[task]:
                folds = level + 0.02 * rng.standard_normal(5)
                half = 0.012 + 0.01 * float(rng.random())
                mean = float(folds.mean())
                row[metric] = {"mean": mean, "low": mean - half, "high": mean + half}
                row["per_fold"][metric] = folds.tolist()
            views[view][penalty] = row
    return views


def _skyline(chromosome, position, placed, rng):
    share = np.array(LENGTHS) / sum(LENGTHS)
    names, places, reach = [], [], []
    for i, length in enumerate(LENGTHS):
        bins = int(3980 * share[i])
        at = (np.arange(bins) + 0.5) * length * 1_000_000 / bins
        value = np.minimum(0.3 + 0.09 * rng.gumbel(size=bins), 0.93)
        for c, place in zip(chromosome, position, strict=True):
            if c == str(i + 1):
                value = np.maximum(value, np.exp(-np.abs(at - place) / 600_000))
                near = np.abs(at - place).argmin()
                at[near], value[near] = place, 1.0
        names += [str(i + 1)] * bins
        places += at.astype(int).tolist()
        reach += np.clip(value, 0.05, 1.0).round(4).tolist()
    if not placed:
        return {"chromosome": [None] * len(reach), "position": [p // 500 for p in places], "reach": reach}
    return {"chromosome": names, "position": places, "reach": reach}


def _path(names, norms, clinical, rng):
    lams = np.geomspace(0.05, 0.006, 30)
    chosen = 21

    def line(final, enters):
        grown = np.clip((np.arange(30) - enters) / (chosen - enters), 0, None) ** 0.8
        return [round(float(v), 5) for v in final * grown]

    lines = {n: line(norms[i], 1 + 19 * i // KEPT) for i, n in enumerate(names)}
    lines |= {n: line(0.9 - 0.15 * i, -2 + i) for i, n in enumerate(clinical)}
    lines |= {f"rs{i}": line(0.05, chosen - 0.5) if i < 0 else line(0.03, 20) for i in range(6)}
    kept = {k: [sum(v[i] > 0 for n, v in lines.items() if (n in clinical) == k) for i in range(30)] for k in (0, 1)}
    return {
        "penalty": "group_lasso", "lams": lams.tolist(), "kept_variants": [float(v) for v in kept[0]],
        "kept_clinical": [float(v) for v in kept[1]],
        "valid_loss": (0.5 + 0.0004 * (np.arange(30) - chosen) ** 2).tolist(), "chosen": chosen, "norms": lines,
        "clinical": list(clinical),
    }  # fmt: skip


def _representation(clinical, rng):
    rows = [f"g{i + 1:02d}" for i in range(20)] + list(clinical)
    maps = []
    for penalty, seed in (
        *((p, 0) for p in ("none", "l1", "l2", "elastic_net")),
        ("group_lasso", 0),
        ("group_lasso", 1),
    ):
        w = rng.standard_normal((len(rows), 32)) * np.where(np.arange(len(rows)) % 4 == 0, 1.0, 0.15)[:, None]
        if penalty in ("l1", "elastic_net"):
            w[rng.random(w.shape) < 0.6] = 0.0
        if penalty == "group_lasso":
            w[(np.arange(len(rows)) % 4 != 0) & (np.arange(len(rows)) != 5 + seed)] = 0.0
        w *= 0.3 if penalty == "l2" else 1.0
        lam = None if penalty == "none" else 0.01
        kept = int((w != 0).any(1).sum())
        maps.append({"penalty": penalty, "seed": seed, "weights": w.round(4).tolist(), "kept": kept, "lam": lam})
    said = "The 20 numbers are the hidden units of a network that was trained on the variants alone, inside each fold."
    return {"rows": rows, "genetic": 20, "maps": maps, "explained": said}
