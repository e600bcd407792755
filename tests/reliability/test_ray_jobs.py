"""Jobs of every kind on one Ray of this machine while its workers are killed: a table's networks, a path, a cohort.

The tests below are the short form of this program, which prints its seed, the load and a line of figures as JSON:
``python tests/reliability/test_ray_jobs.py --seed 1 --rounds 5``. It needs pip install 'riata[ray]'.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import riata
from riata.choice.decision import parquet
from riata.choice.options import Options
from riata.choice.timings import apart
from riata.cohort import decide, representation
from riata.errors import ResourceError
from riata.genome import Cohort, simulate
from riata.population.cluster import reach
from riata.population.hands import Processes, hands, staff

HERE = Path(__file__).resolve().parent
SRC = HERE.parents[1] / "src"
HAS_RAY = find_spec("ray") is not None and Path("/proc/self/environ").exists()
with_ray = pytest.mark.skipif(not HAS_RAY, reason="needs /proc and Ray, which is an extra: pip install 'riata[ray]'")
MARK = "RIATA_TEST_MARK"
"""An environment variable that children inherit, to tell which processes are ours."""
COHORT = Cohort(
    people=150, variants=120, effects=3, background=0, clinical=4, summaries=0, named=True, genetic_share=0.6,
    clinical_share=0.3, seed=1,
)  # fmt: skip
QUICK = {"folds": 4, "path_length": 4, "hidden": (2,), "epochs": 4, "device": "cpu"}
PATH = {"hidden": (16,), "folds": 3, "seeds": 2, "path_length": 12, "epochs": 90, "device": "cpu"}


def processes_with(mark):
    """Return the processes that inherited a mark, by number, with their titles; zombies are none."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes() and (folder / "stat").read_text().split()[2] != "Z":
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, UnicodeDecodeError):
            continue
    return found


class Killer(threading.Thread):
    """Kills one worker of each kind of work, a random time after it was first seen at it."""

    def __init__(self, kinds, seed):
        super().__init__(daemon=True)
        self.left, self.killed, self.over, self.draw = set(kinds), [], threading.Event(), random.Random(seed)

    def run(self):
        while self.left and not self.over.wait(0.05):
            for number, title in processes_with(os.environ[MARK]).items():
                kind = title.removeprefix("ray::").strip()
                if title.startswith("ray::") and kind in self.left:
                    time.sleep(self.draw.uniform(0.0, 0.15))
                    if processes_with(os.environ[MARK]).get(number) == title:
                        os.kill(number, signal.SIGKILL)
                        self.left.discard(kind)
                        self.killed.append(kind)
                    break

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).hexdigest()


def networks_print(workers):
    """Return the fingerprints of a table's population in pieces of several sizes."""
    sys.path.insert(0, str(HERE))
    import test_ray as t

    blocks, design = t.study()
    if workers == 1:
        return {t.fingerprint(t.train_population(blocks, design))}
    with hands(blocks, 2, reach(workers)) as crew:
        return {t.fingerprint(t.train_population(blocks, design, crew=crew, chunk=c)) for c in (1, 2, 32)}


def path_print(workers, **options):
    """Return the fingerprint of every number of a path."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(240, 8))
    found = riata.fit_path(x, x[:, 0] + np.abs(x[:, 1]) + draw.normal(size=240), workers=workers, **options)
    held = (found.lams, found.scores.valid_loss_folds, found.norms, found.fits.kkt, *found.fits.params.values())
    return sha256(*(np.ascontiguousarray(v).tobytes() for v in held), repr(found.fits.status).encode())


def cohort_print(folder, workers):
    """Return the fingerprint of a cohort's decision: everything that a folder holds but the seconds."""
    found = riata.choose(folder / "c.csv", "outcome", genotypes=folder / "c.bed", workers=workers, **QUICK)
    facts = json.loads(found.to_json())
    assert facts["options"].pop("workers") == workers and facts.pop("seconds") > 0
    found.model.save(folder / "model")
    assert found.figures["cohort"]["representation"] is not None
    timeless = json.dumps([facts, apart(found.figures)[0]], default=str).encode()
    return sha256(timeless, parquet(found.population), (folder / "model").read_bytes())


def said_without_the_file(folder):
    """Return what is said where a worker does not find the genotypes that the driver has mapped already."""
    from riata.cohort.settings import settings_of
    from riata.cohort.study import open_study
    from riata.cohort.work import Material, Office, trials

    study = open_study(folder / "c.csv", "outcome", folder / "c.bed")
    settings = settings_of(Options(**QUICK))
    material = Material(study.table, study.variants, (), "standard", settings)
    splits = decide.splits_of(study, np.arange(study.table.n), Options(**QUICK))
    (folder / "c.bed").rename(folder / "elsewhere.bed")
    try:
        trials(material, splits, Office(1, lambda done, of: None, ray="ray"))
    except ResourceError as error:
        return str(error)
    finally:
        (folder / "elsewhere.bed").rename(folder / "c.bed")


def gets_in(address, token):
    """Tell whether another program can connect, with the token or without."""
    there = {name: value for name, value in os.environ.items() if token or not name.startswith("RAY_AUTH")}
    code = f"import ray; ray.init({address!r}, _node_ip_address='127.0.0.1')"
    return subprocess.run([sys.executable, "-c", code], env=there, capture_output=True, check=False).returncode == 0


def program(seed, rounds):
    """Do everything with one process and on a Ray that loses workers; return what came out."""
    os.environ.setdefault(MARK, f"{os.getpid()}-{time.time_ns()}")
    decide.PAIRS = 6
    cluster, facts = reach("ray", 2), {"seed": seed, "rounds": rounds, "different": [], "killed": []}
    import ray

    facts["address"] = ray.get_runtime_context().gcs_address
    facts["gets in"] = {
        who: gets_in(facts["address"], who == "with the token") for who in ("stranger", "with the token")
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate(folder / "c", COHORT)
        kinds = {
            "networks": (networks_print, ()),
            "linear path": (lambda w: path_print(w, penalty=riata.L1(), hidden=(), folds=3), ()),
            "path": (lambda w: path_print(w, **PATH), ("run_lane",)),
            "cohort": (lambda w: cohort_print(folder, w), ("_measure", "viewed", "_select")),
        }
        expected = {kind: begin(1) for kind, (begin, _) in kinds.items()}
        for i in range(rounds):
            for kind, (begin, tasks) in kinds.items():
                began = time.monotonic()
                with Killer(tasks, seed + i) as killer:
                    if begin("ray") != expected[kind]:
                        facts["different"].append(kind)
                facts["killed"] += killer.killed
                sys.stderr.write(f"{kind}: {time.monotonic() - began:.1f} s, killed {killer.killed}\n")
        facts["without the file"] = said_without_the_file(folder)
    facts["open until closed"] = ray.is_initialized()
    cluster.close()
    return facts


@pytest.fixture(scope="module")
def on_ray():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    there = {**kept, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", MARK: str(time.time_ns())}
    ended = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, env=there, timeout=500, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    return json.loads(ended.stdout.splitlines()[-1]), there[MARK]


@with_ray
def test_networks_paths_and_cohorts_on_a_ray_that_loses_workers_are_equal(on_ray):
    assert on_ray[0]["different"] == []
    killed = on_ray[0]["killed"]  # one piece may have been finished in the moment before
    assert len(killed) >= 3 and set(killed) <= {"_measure", "_select", "run_lane", "viewed"}


@with_ray
def test_a_ray_of_this_machine_lets_nobody_in(on_ray):
    assert on_ray[0]["address"].startswith("127.0.0.1:")
    assert on_ray[0]["gets in"] == {"stranger": False, "with the token": True}


@with_ray
def test_a_ray_that_was_there_stays_open_until_its_owner_closes_it(on_ray):
    assert on_ray[0]["open until closed"]
    until = time.monotonic() + 20
    while (left := processes_with(on_ray[1])) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == {}


@with_ray
def test_genotypes_that_a_node_does_not_have_are_named_in_a_line(on_ray):
    said = on_ray[0]["without the file"]
    assert "c.bed cannot be read (No such file or directory)" in said and len(said) <= 300 and "\n" not in said
    assert said.startswith("a node of Ray cannot open") and said.endswith("put the file at the same path on every node")


@with_ray
def test_sigterm_ends_a_path_on_ray_and_leaves_nobody(tmp_path):
    draw = np.random.default_rng(0)
    rows = [",".join(map(str, row)) for row in draw.normal(size=(300, 6)).round(3)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,d,e,y", *rows]) + "\n")
    words = "path t.csv --target y --penalty l1 --seeds 4 --path-length 40 --epochs 400 --workers ray --out out"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    there = {**kept, "PYTHONPATH": str(SRC), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", MARK: str(time.time_ns())}
    process = subprocess.Popen(
        [sys.executable, "-m", "riata", *words.split()], cwd=tmp_path, env=there, text=True, stderr=subprocess.PIPE
    )
    until = time.monotonic() + 90
    while not any(t.startswith("ray::run_lane") for t in processes_with(there[MARK]).values()):
        assert process.poll() is None and time.monotonic() < until, process.communicate()
        time.sleep(0.2)
    sent = time.monotonic()
    process.terminate()
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 143 and time.monotonic() - sent < 10
    assert said.splitlines()[-1] == "riata: stopped" and "Traceback" not in said
    while (left := processes_with(there[MARK])) and time.monotonic() - sent < 30:
        time.sleep(0.1)
    assert left == {}


def test_local_processes_do_each_job_once_and_hand_over_errors():
    with staff(2) as there:
        assert isinstance(there, Processes) and there.size == 2
        assert sorted(there.each(pow, ((i, (2, i)) for i in range(5)))) == [(i, 2**i) for i in range(5)]
        assert list(there.each(lambda: os.getpid(), [("one job stays here", ())])) == [
            ("one job stays here", os.getpid())
        ]
        with pytest.raises(ValueError, match="invalid literal"):
            list(there.each(int, [(i, (text,)) for i, text in enumerate(["0", "1", "three", "4"])]))
    assert staff(4, "cuda").size == 1 and staff(None).size >= 1


def test_a_lost_cluster_is_no_reason_to_leave_a_figure_out(monkeypatch):
    def lost(*_):
        raise ResourceError("no node of Ray")

    monkeypatch.setattr(representation, "study_representation", lost)
    nobody = np.zeros(0, dtype=np.int64)
    with pytest.raises(ResourceError, match="no node of Ray"):
        representation.learned(None, None, nobody, Options(workers="ray"))
    assert representation.learned(None, None, nobody, Options(workers=2))[1]


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--rounds", type=int, default=1, help="in each, a worker of every kind of work is killed")
    typed = asked.parse_args()
    load, start = os.getloadavg()[0], time.monotonic()
    found = program(typed.seed, typed.rounds)
    sys.stdout.write(
        json.dumps({**found, "load": round(load, 1), "seconds": round(time.monotonic() - start, 1)}) + "\n"
    )
