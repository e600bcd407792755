"""The same study on one process, on several and on a Ray cluster that loses parts of itself: the same bits.

What needs Ray is left out where it is not installed. The long form is ``python benchmarks/cluster.py lose``.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

import riata
from riata.choice.options import Options
from riata.engines import Loss
from riata.errors import InputError, ResourceError
from riata.population import cluster, ray_staff
from riata.population.cluster import Cluster, named, reach
from riata.population.design import Design, Member, Split, Training
from riata.population.hands import hands
from riata.population.pieces import pack
from riata.population.ray_crew import RayCrew
from riata.population.ray_staff import RayStaff
from riata.population.run import Blocks, Crew, train_population

ROOT = Path(__file__).resolve().parents[2]
HAS_RAY = find_spec("ray") is not None
with_ray = pytest.mark.skipif(not HAS_RAY, reason="Ray is an extra: pip install 'riata[ray]'")


def study(kind="logistic"):
    draw, n, d = np.random.default_rng(0), 90, 7
    x = draw.standard_normal((1, n, d)).astype(np.float32)
    y = (x[0, :, 0] + draw.standard_normal(n) > 0).astype(np.float32)[None]
    blocks = Blocks(x, y, np.arange(d), tuple("abcdefg"), Loss(kind, 1))
    rows = np.arange(n)
    splits = (Split(0, rows[:50], rows[50:70], rows[70:]), Split(1, rows[40:], rows[20:40], rows[:20]))
    members = tuple(
        Member(penalty, lam, 0.2, s, s) for penalty in ("l1", "group_lasso") for s in (0, 1) for lam in (0.01, 0.1, 0.3)
    )
    return blocks, Design(members, splits, Training(epochs=6, batch_size=16, hidden=(6, 5), patience=3))


def fingerprint(population):
    words, numbers = pack(list(population.members))
    return hashlib.sha256(words.encode() + numbers).hexdigest()


def of_this_folder(words, timeout=300):
    """Run a program with the package of this checkout and one thread."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    here = {**kept, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, env=here, timeout=timeout)


def test_workers_pieces_and_order_change_no_bit():
    blocks, design = study()
    serial = fingerprint(train_population(blocks, design))
    found = {fingerprint(train_population(blocks, design, chunk=chunk)) for chunk in (1, 2, 5, 32)}
    for workers in (2, 4):
        with Crew(blocks, workers) as crew:
            found |= {fingerprint(train_population(blocks, design, crew=crew, chunk=chunk)) for chunk in (1, 2)}
    turned = replace(design, members=design.members[::-1])
    back = train_population(blocks, turned)
    found.add(fingerprint(replace(back, members=back.members[::-1])))
    assert found == {serial}
    assert fingerprint(train_population(blocks, replace(design, training=replace(design.training, epochs=5)))) != serial


def test_a_decision_and_its_model_are_the_same_for_all_workers(tmp_path):
    draw = np.random.default_rng(0)
    x = draw.standard_normal((120, 4))
    y = x[:, 0] + draw.standard_normal(120)
    quick = {"hidden": (6,), "epochs": 6, "folds": 3, "seeds": 1, "path_length": 3, "dropout": (0.0,), "device": "cpu"}
    models = set()
    for workers in (1, 3):
        decision = riata.choose(x, y=y, budget="1h", penalties=("l1",), workers=workers, **quick)
        decision.save(tmp_path / str(workers))
        models.add(hashlib.sha256((tmp_path / str(workers) / "model.safetensors").read_bytes()).hexdigest())
    assert len(models) == 1


@pytest.mark.parametrize("said", ["ray", "ray://10.0.0.5:10001", "ray://head.local:10001", "ray://[::1]:10001"])
def test_a_cluster_may_be_named(said):
    assert Options(workers=said).workers == said
    assert Options(workers=said).processes == Options().processes
    assert named(said)


@pytest.mark.parametrize(
    "said", ["Ray", "ray:", "ray://", "ray://host", "ray://a b:1", "ray://h:99999", "ray://h:0", ""]
)
def test_what_is_no_cluster_is_refused(said):
    with pytest.raises(InputError, match="is no whole number, ray or ray://host:port; type --workers 2"):
        Options(workers=said)
    assert not named(said)
    with pytest.raises(InputError, match="expected a whole number >= 1, ray or ray://host:port; try 1"):
        riata.fit_path(np.eye(9), np.arange(9.0), hidden=(), folds=0, workers=said)


def test_a_number_needs_no_ray():
    assert reach(2) is None and reach(None) is None


def test_without_ray_the_error_says_what_to_type(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_task_oom_retries", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "0")
    x, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    frame, genes = pl.DataFrame({"a": x[:, 0], "y": y}), np.random.default_rng(1).integers(0, 3, (60, 30), np.int8)
    for begin in (
        lambda: reach("ray://127.0.0.1:10001"),
        lambda: riata.choose(x, y=y, workers="ray", folds=3),
        lambda: riata.choose(frame, "y", genotypes=genes, workers="ray", folds=3),
        lambda: riata.fit_path(x, y, folds=3, workers="ray"),
        lambda: riata.fit_path(x, y, hidden=(), folds=3, workers="ray"),
    ):
        with pytest.raises(ResourceError, match=r"needs ray, which is not installed; type pip install 'riata\[ray\]'"):
            begin()


def test_a_cluster_that_is_not_there_is_given_up(monkeypatch):
    monkeypatch.setattr(cluster, "load_ray", lambda address: SimpleNamespace(is_initialized=lambda: False))
    monkeypatch.setattr(cluster, "REACH", 4.0)
    with pytest.raises(ResourceError, match=r"Ray at ray://127.0.0.1:1 cannot be reached: Connection refused"):
        reach("ray://127.0.0.1:1")


def test_a_cluster_that_does_not_answer_is_given_up(monkeypatch):
    silent = SimpleNamespace(is_initialized=lambda: False, init=lambda *_, **__: time.sleep(5))
    monkeypatch.setattr(cluster, "load_ray", lambda address: silent)
    monkeypatch.setattr(cluster, "REACH", 0.3)
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    with pytest.raises(ResourceError, match="no answer in"):
        reach("ray")


class Lost(Exception):
    """What Ray raises for a task, with its cause."""

    def __init__(self, cause):
        self.cause = cause


class Unread(Exception):
    """What Ray says where a worker cannot unpickle, with what went wrong there."""

    def __init__(self, client_exc):
        super().__init__(f"System error: {client_exc}\ntraceback: ...")
        self.client_exc = client_exc


class Told:
    """A Ray that notes how tasks are asked for, and runs them at once."""

    def __init__(self, resources=None):
        self.asked, self.put_there, self.cancelled = {}, [], 0
        self.resources = [{"Alive": True, "Resources": resources if resources is not None else {"CPU": 2.0}}]
        self.exceptions = SimpleNamespace(RayTaskError=Lost, RayError=KeyError, RaySystemError=Unread)

    def nodes(self):
        return self.resources

    def put(self, value):
        self.put_there.append(value)
        return value

    def remote(self, task):
        def options(**asked):
            self.asked = asked
            return SimpleNamespace(remote=lambda *facts: Job(task, facts))

        return SimpleNamespace(options=options)

    def wait(self, jobs, num_returns, timeout):
        return ([jobs[-1]], jobs[:-1]) if self.resources[0]["Resources"] else ([], jobs)

    def get(self, job):
        return job.task(*job.facts)

    def cancel(self, job, force):
        self.cancelled += 1


class Job:
    def __init__(self, task, facts):
        self.task, self.facts = task, facts


def test_data_are_put_once_and_no_piece_is_lost_in_a_short_queue(monkeypatch):
    blocks, design = study()
    told = Told()
    monkeypatch.setattr(ray_staff, "AHEAD", 2)
    with RayCrew(blocks, Cluster(told, "local", False)) as crew:
        found = [fingerprint(train_population(blocks, design, crew=crew, chunk=c)) for c in (1, 2)]
    assert set(found) == {fingerprint(train_population(blocks, design))}
    assert sum(value is blocks for value in told.put_there) == 1 and len(told.put_there) == 1 + 2 * len(design.splits)
    asked = {"max_retries": ray_staff.RETRIES, "scheduling_strategy": "SPREAD", "num_cpus": 1, "name": "train_piece"}
    assert told.asked == asked
    assert told.cancelled == 0


def test_a_list_of_jobs_is_done_once_each_and_asked_for_as_there_is_room(monkeypatch):
    monkeypatch.setattr(ray_staff, "AHEAD", 3)
    told, begun = Told(), []

    def jobs():
        for i in range(8):
            begun.append(i)
            yield i, (2, i)

    with RayStaff(Cluster(told, "local", False)) as staff:
        results = staff.each(pow, jobs())
        first = next(results)
        assert len(begun) == 4  # three that Ray may know of, and one in place of what is done
        assert sorted([first, *results]) == [(i, 2**i) for i in range(8)]
        assert list(staff.each(pow, [])) == []
    assert told.cancelled == 0


def test_a_piece_takes_a_gpu_where_the_device_is_one():
    blocks, design = study()
    told = Told({"GPU": 3.0})
    told.get = lambda job: []
    crew = hands(replace(blocks, device="cuda"), 1, Cluster(told, "local", False))
    next(crew.train(design, [[0]]))
    assert told.asked["num_gpus"] == 1 and crew.staff.size == 3


def test_a_cluster_without_a_node_ends_the_run(monkeypatch):
    blocks, design = study()
    monkeypatch.setattr(ray_staff, "ALONE", -1.0)
    told = Told({})
    crew = RayCrew(blocks, Cluster(told, "10.0.0.5:6379", False))
    with crew, pytest.raises(ResourceError, match=r"no node of Ray at 10.0.0.5:6379 has had a CPU for"):
        train_population(blocks, design, crew=crew, chunk=1)
    assert told.cancelled == len(design.members)


def test_other_versions_on_a_node_are_refused():
    with pytest.raises(ResourceError, match="install the same versions on every node"):
        ray_staff.work(("0", "0", "0"), pow, 2, 3)
    assert ray_staff.work(ray_staff.versions(), pow, 2, 3) == 8


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (Lost(Unread(ImportError("No module named 'riata'"))), "No module named 'riata'; install"),
        (Lost(Unread(InputError("/d/c.bed cannot be read"))), "/d/c.bed cannot be read; put the file at the same path"),
        (Lost(ResourceError("of ours")), "^of ours$"),
        (KeyError("NodeDiedError"), "gave up on a piece after 10 retries .KeyError.; .* --resume"),
    ],
)
def test_what_goes_wrong_on_a_node_is_said_in_a_line(raised, said):
    def get(job):
        raise raised

    blocks, design = study()
    told = Told()
    told.get = get
    with RayCrew(blocks, Cluster(told, "local", False)) as crew, pytest.raises(ResourceError, match=said) as error:
        train_population(blocks, design, crew=crew, chunk=1)
    assert len(str(error.value)) <= 300 and told.cancelled == len(design.members) - 1


@with_ray
def test_a_cluster_that_loses_a_worker_and_a_node_finishes_with_the_same_bits():
    words = [str(ROOT / "benchmarks" / "cluster.py"), "lose", "--pieces", "24", "--epochs", "60", "--kills", "1"]
    ended = of_this_folder(words)
    assert ended.returncode == 0, ended.stderr[-2000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["equal"] and found["each piece once"] and found["longest silence"] < 60
    assert found["killed"]["nodes"] == 1 and found["killed"]["workers"] == 1 and found["killed"]["drivers"] == 1
