"""The default chart: the classic questions with honest evidence, and two more leaves.

Measured part: sub-sample, resources, baseline against the constant, regularizer against the baseline, then
one set of contenders S scored on the same folds, walked in the order of the goal. Evidence labels; it does
not block.

Theory part, the leaf where nothing can be validated, answered for the record where it can:

* correlated, or the entire picture needed: L2. L1 would keep an arbitrary one of each cluster, and a group
lasso of
  single columns is L1. Where variables must be dropped L2 is no answer: the elastic net, which keeps
  clusters whole.
* more features than rows: elastic net. L1 stops at n variables, and L2 would keep thousands of idle ones.
* otherwise half the columns or more in categories or declared groups: group lasso. L1 would drop single
levels, which
  means nothing: a dropped level is merged with the average of the others, and depends on the coding.
* otherwise (uncorrelated, narrow, single columns): L1, whose conditions hold best there.

Sparse group lasso is a leaf of the measured part only: no fact of the table, short of trying, says that
within a useful group most columns are idle.
"""

from __future__ import annotations

from dataclasses import replace

from riata.choice import classic
from riata.choice.chart import Chart, Question, questions
from riata.choice.probes import scores, sparsity

CORRECTED_T = "Nadeau & Bengio 2003; Benavoli, Corani, Demsar & Zaffalon 2017 (correlated Bayesian t)"
TRAIN_ALL = "Train every candidate at all strengths on the same folds"
LEAVES = ("none", "l2", "l1", "elastic_net", "group_lasso", "sparse_group_lasso")

BASELINE = Question(
    "baseline",
    "Is the network without a penalty better than the constant predictor?",
    "A baseline that learned nothing cannot argue for removing regularization.",
    "measured",
    CORRECTED_T,
    scores.probe_baseline,
    scores.branch_baseline,
    {"yes": "regularizer", "untested": "regularizer", "no": "which"},
)
REGULARIZER = Question(
    "regularizer",
    "Is any regularizer better than the baseline?",
    "The burden of proof is on removing regularization: none is taken only where it beats every candidate.",
    "measured",
    CORRECTED_T,
    scores.probe_regularizer,
    scores.branch_regularizer,
    {"yes": "which", "unclear": "which", "no": "leaf:none"},
)
WHICH = Question(
    "which",
    "Which of the contenders?",
    "All candidates that the best does not beat with P > .75 contend; the order of the goal picks one.",
    "measured",
    CORRECTED_T,
    scores.probe_which,
    scores.branch_which,
    {name: f"leaf:{name}" for name in LEAVES},
)
CORRELATED = replace(classic.CORRELATED, arrows={"yes": "drops", "no": "picture"})
PICTURE = replace(classic.PICTURE, arrows={"yes": "drops", "no": "wide"})
DROPS = Question(
    "drops",
    "Must variables be dropped?",
    "L2 keeps every variable; the elastic net drops some and keeps or drops correlated ones together.",
    "theory",
    "Zou & Hastie 2005, theorem 1 (grouping effect)",
    scores.probe_goal,
    scores.branch_goal,
    {"yes": "leaf:elastic_net", "no": "leaf:l2"},
)
WIDE = replace(classic.WIDE, arrows={"yes": "leaf:elastic_net", "no": "grouped"})
GROUPED = Question(
    "grouped",
    "Do most columns belong to categories or declared groups?",
    "Columns of one variable live or die together; dropping single levels depends on the coding.",
    "theory",
    "Yuan & Lin 2006, J. R. Stat. Soc. B 68",
    sparsity.probe_grouped,
    sparsity.branch_grouped,
    {"yes": "leaf:group_lasso", "no": "leaf:l1"},
)

DEFAULT = Chart(
    "default",
    "subsample",
    questions(
        classic.SUBSAMPLE,
        replace(classic.RESOURCES, arrows={"yes": "baseline", "no": "correlated"}, acts={"yes": TRAIN_ALL}),
        BASELINE,
        REGULARIZER,
        WHICH,
        CORRELATED,
        PICTURE,
        DROPS,
        WIDE,
        GROUPED,
    ),
    LEAVES,
    theory="correlated",
    always=("correlated", "picture", "wide", "grouped"),
)
"""The default chart as data."""
