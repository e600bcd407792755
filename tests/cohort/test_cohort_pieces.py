"""Pieces of a cohort's comparison: remembered bit by bit, never done twice, the same for any number of workers."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from riata.choice.options import Options
from riata.cohort import work
from riata.cohort.decide import splits_of
from riata.cohort.halves import half_splits
from riata.cohort.pieces import pack_halves, pack_trials, unpack_halves, unpack_trials
from riata.cohort.settings import settings_of
from riata.cohort.study import Study, open_study
from riata.cohort.trial import Trial
from riata.cohort.work import Material, Office, halves, trials
from riata.genome import Cohort, simulate

OPTIONS = Options(folds=4, hidden=(3,), path_length=5, penalties=("l2", "l1", "group_lasso"))


class Memory(dict[str, bytes]):
    """Remembers in a dictionary."""

    def recall(self, name: str) -> bytes | None:
        return self.get(name)

    def remember(self, name: str, content: bytes) -> None:
        self[name] = content


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    path = tmp_path_factory.mktemp("pieces") / "c"
    simulate(path, Cohort(people=140, variants=250, effects=3, background=5, clinical=3, summaries=1, missing=0.01))
    return open_study(Path(f"{path}.csv"), "outcome", Path(f"{path}.bed"))


@pytest.fixture(scope="module")
def material(study: Study) -> Material:
    return Material(study.table, study.variants, (), "standard", settings_of(OPTIONS))


def office(workers: int = 1, notes: Memory | None = None) -> Office:
    return Office(workers, lambda done, of: None, notes)


def same(a: list[list[Trial]], b: list[list[Trial]]) -> bool:
    pairs = [(x, y) for left, right in zip(a, b, strict=True) for x, y in zip(left, right, strict=True)]
    names = [f.name for f in fields(Trial) if f.name != "said"]
    return all(x.said.tobytes() == y.said.tobytes() for x, y in pairs) and all(
        getattr(x, name) == getattr(y, name) for x, y in pairs for name in names
    )


def test_trials_do_not_depend_on_workers_or_on_what_was_remembered(
    study: Study, material: Material, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = splits_of(study, np.arange(study.table.n), OPTIONS)
    notes = Memory()
    plain = trials(material, splits, office(notes=notes))
    assert [len(notes), {t.view for t in plain[0]}] == [2, {"clinical", "genetic", "combined"}]
    assert same(plain, trials(material, splits, office(workers=2)))
    half = Memory({"trials 0": notes["trials 0"]})
    done = []
    measure = work._measure
    monkeypatch.setattr(work, "_measure", lambda m, s: done.append(len(s)) or measure(m, s))
    assert same(plain, trials(material, splits, office(notes=half)))
    assert done == [1]  # the second piece only: one fold of four
    assert same(plain, trials(material, splits, office(notes=half))) and done == [1]


def test_halves_do_not_depend_on_workers_or_on_what_was_remembered(study: Study, material: Material) -> None:
    splits = half_splits(study.table, np.arange(study.table.n), 6, seed=1)
    notes = Memory()
    plain = halves(material, splits, "l1", 5, office(notes=notes))
    assert len(notes) == 2 and all(0 < len(kept) <= 5 for kept in plain)
    again = halves(material, splits, "l1", 5, office(workers=2))
    remembered = halves(material, splits, "l1", 5, office(notes=notes))
    for a, b, c in zip(plain, again, remembered, strict=True):
        assert a.tolist() == b.tolist() == c.tolist()


def test_what_is_packed_comes_back(study: Study, material: Material) -> None:
    trial = Trial("genetic", "l1", 1, 2, 0.1, 1.0, 1 / 3, np.inf, np.array([[0.1, 0.9]]), 0, 5, 1e-4, 7)
    assert same([[trial], []], unpack_trials(pack_trials([[trial], []])))
    kept = [np.array([3, 1]), np.zeros(0, dtype=np.int64)]
    assert [k.tolist() for k in unpack_halves(pack_halves(kept))] == [[3, 1], []]


def test_halves_split_neither_classes_nor_subjects(study: Study) -> None:
    rows = np.arange(study.table.n)
    plain = half_splits(study.table, rows, 3, seed=0)
    share = [study.table.y[s.train].mean() for s in plain]
    assert max(share) - min(share) < 0.02 and all(
        not set(a.train) & set(b.train) for a, b in zip(plain[::2], plain[1::2], strict=True)
    )
    families = replace(study.table, subject=rows // 3)
    for split in half_splits(families, rows, 3, seed=0):
        inside = np.isin(rows, split.train)
        assert all(len(set(inside[rows // 3 == family])) == 1 for family in range(study.table.n // 3))
        assert abs(len(split.train) - study.table.n / 2) <= 3
