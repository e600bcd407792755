"""The classic chart, whole: four leaves, plain means; and the second opinion without training.

1. Can a sub-sample with the same distribution be taken? no: 3.
2. Are there resources to validate? yes: train a baseline and an elastic net, 4. no: 3.
3. Are the features correlated? yes: L2. no: is the entire picture needed? yes: L2, no: L1.
4. Elastic net better than the baseline? Better: is L1 alone better still? yes: L1, no: elastic net. Worse:
is L2
   alone better than the baseline? yes: L2, no: none.

It compares means, without intervals; where that is done on one split, regret more than doubles.
"""

from __future__ import annotations

from dataclasses import replace

from riata.choice.chart import Chart, Question, questions
from riata.choice.probes import correlation, picture, scores, sparsity, subsample

FLOWCHART = "the classic regularization flowchart"
ELASTIC_NET = "Zou & Hastie 2005, J. R. Stat. Soc. B 67, section 1"
RIDGE = "Hoerl & Kennard 1970, Technometrics 12; Tibshirani 1996, J. R. Stat. Soc. B 58"

SUBSAMPLE = Question(
    "subsample",
    "Can a sub-sample with the same distribution be taken?",
    "What is measured on a sub-sample holds for the table only if the two are alike.",
    "measured",
    "Lopez-Paz & Oquab 2017 (classifier two-sample test); Austin 2009 (standardized mean differences)",
    subsample.probe,
    subsample.branch,
    {"yes": "resources", "all": "resources", "no": "correlated"},
)
RESOURCES = Question(
    "resources",
    "Are there resources to validate?",
    "Cross-validation of every candidate must fit the budget and leave enough rows in each fold.",
    "convention",
    FLOWCHART,
    scores.probe_resources,
    scores.branch_resources,
    {"yes": "elastic_net_better", "no": "correlated"},
    {"yes": "Train the baseline and an elastic net"},
)
CORRELATED = Question(
    "correlated",
    "Are the features correlated?",
    "Of correlated features L1 keeps an arbitrary one; L2 shares the weight among them and predicts better.",
    "theory",
    f"{ELASTIC_NET}; {RIDGE}",
    correlation.probe,
    correlation.branch,
    {"yes": "leaf:l2", "no": "picture"},
)
PICTURE = Question(
    "picture",
    "Is the entire picture needed?",
    "In an image or a curve every column carries a little; dropping some breaks what neighbours say.",
    "convention",
    FLOWCHART,
    picture.probe,
    picture.branch,
    {"yes": "leaf:l2", "no": "leaf:l1"},
)


def _better(first: str, second: str, text: str, yes: str, no: str) -> Question:
    return Question(
        f"{first}_better",
        text,
        "The candidate with the higher mean score over the same folds is taken.",
        "convention",
        FLOWCHART,
        scores.better_mean(first, second),
        scores.branch_better,
        {"yes": yes, "no": no},
    )


CLASSIC = Chart(
    "classic",
    "subsample",
    questions(
        SUBSAMPLE,
        RESOURCES,
        CORRELATED,
        PICTURE,
        _better("elastic_net", "none", "Is the elastic net better than the baseline?", "l1_better", "l2_better"),
        _better("l1", "elastic_net", "Is L1 alone better still?", "leaf:l1", "leaf:elastic_net"),
        _better("l2", "none", "Is L2 alone better than the baseline?", "leaf:l2", "leaf:none"),
    ),
    ("none", "l2", "l1", "elastic_net"),
    theory="correlated",
)
"""The classic chart as data."""

WIDE = Question(
    "wide",
    "Are there more features than rows?",
    "L1 alone keeps at most as many variables as there are rows; the elastic net has no such limit.",
    "theory",
    ELASTIC_NET,
    sparsity.probe_wide,
    sparsity.branch_wide,
    {"yes": "leaf:elastic_net", "no": "leaf:l1"},
)
_SPARSE = Question(
    "sparse",
    "Is the data very sparse?",
    "Where almost every cell holds its column's most common value, many columns must add up.",
    "convention",
    FLOWCHART,
    sparsity.probe_sparse,
    sparsity.branch_sparse,
    {"yes": "leaf:l2", "no": "correlated", "unsure": "correlated_between"},
)
_UNSURE = replace(
    CORRELATED,
    branch=correlation.branch_unsure,
    arrows={"yes": "leaf:l2", "unsure": "leaf:elastic_net", "no": "wide"},
)

SECOND_OPINION = Chart(
    "second opinion",
    "picture",
    questions(
        replace(PICTURE, arrows={"yes": "leaf:l2", "no": "sparse"}),
        _SPARSE,
        _UNSURE,
        replace(
            CORRELATED,
            key="correlated_between",
            text="Neither sparse nor dense: are the features correlated?",
            arrows={"yes": "leaf:l2", "no": "leaf:elastic_net"},
        ),
        WIDE,
    ),
    ("l2", "l1", "elastic_net"),
    theory="picture",
    always=("correlated", "wide"),
)
"""Without training: a picture, very sparse or correlated: L2; dense and uncorrelated: L1; unsure, or more
features than rows: elastic net. (The picture comes first here as it does in the classic chart.)"""
