"""Does a study survive what happens to Ray clusters, with the same bits? And what a cluster costs.

python benchmarks/cluster.py lose       workers, a node and the driver are killed on three local nodes; ten minutes
python benchmarks/cluster.py overhead   the same pieces on local processes and on a local Ray; three minutes
python benchmarks/cluster.py kinds      the same networks with the instructions of other processors; a minute

Needs pip install 'riata[ray]'. Every mode prints its seed, the load of the machine and one line of figures as JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from riata.engines import Loss
from riata.population.cluster import reach
from riata.population.design import Design, Member, Split, Training
from riata.population.hands import hands
from riata.population.journal import Journal
from riata.population.pieces import member_keys, pack
from riata.population.ray_crew import RayCrew
from riata.population.run import Blocks, train_population
from riata.results import Population

LAMS = (0.1, 0.03, 0.01, 0.003)
TOGETHER = len(LAMS)
NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 * 2**20}
HEARTBEAT = {
    "health_check_period_ms": 500, "health_check_failure_threshold": 4, "health_check_initial_delay_ms": 0,
}  # fmt: skip
LOOPBACK = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
KINDS = ("default", "avx2", "avx512")


def study(pieces: int, epochs: int, seed: int = 0) -> tuple[Blocks, Design]:
    """Return a made table of 1000 x 20 and a design of so many pieces of four strengths."""
    draw, n, d = np.random.default_rng(seed), 1000, 20
    x = draw.standard_normal((1, n, d)).astype(np.float32)
    y = (x[0, :, 0] + x[0, :, 1] * x[0, :, 2] + draw.standard_normal(n) > 0).astype(np.float32)
    blocks = Blocks(x, y[None], np.arange(d), tuple(f"v{i}" for i in range(d)), Loss("logistic", 1))
    rows = np.arange(n)
    splits = (Split(0, rows[:600], rows[600:800], rows[800:]), Split(1, rows[400:], rows[200:400], rows[:200]))
    members = tuple(Member("group_lasso", lam, 0.1, piece % 2, piece) for piece in range(pieces) for lam in LAMS)
    return blocks, Design(members, splits, Training(epochs=epochs, early_stopping=False))


def fingerprint(population: Population) -> str:
    """Return the SHA-256 of every number of a population."""
    words, numbers = pack(list(population.members))
    return hashlib.sha256(words.encode() + numbers).hexdigest()


def drive(journal: Path, pieces: int, epochs: int, seed: int) -> None:
    """Train the study on the cluster of RAY_ADDRESS with a journal, and print how far it is; a process of its own."""
    torch.set_num_threads(1)
    blocks, design = study(pieces, epochs, seed)

    def tell(done: int, total: int) -> None:
        print(f"done {done} of {total}", flush=True)

    cluster = reach("ray")
    assert cluster is not None
    with Journal.open(journal, {}, resume=journal.exists()) as keep, RayCrew(blocks, cluster) as crew:
        found = train_population(blocks, design, crew=crew, chunk=TOGETHER, progress=tell, keep=keep)
    print(f"sha256 {fingerprint(found)}", flush=True)


class Driver:
    """The process that drives the study, and when it was last heard of."""

    def __init__(self, words: list[str], address: str) -> None:
        self.words, self.address = words, address
        self.heard, self.silence, self.said = time.monotonic(), 0.0, ""
        self.process = self.begin()

    def begin(self) -> subprocess.Popen[str]:
        """Start it and listen."""
        command = [sys.executable, __file__, "drive", *self.words]
        there = {**os.environ, "RAY_ADDRESS": self.address}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=there)
        threading.Thread(target=self.listen, args=(self.process,), daemon=True).start()
        return self.process

    def listen(self, process: subprocess.Popen[str]) -> None:
        """Note when pieces come in, and the longest time without one."""
        assert process.stdout is not None
        for line in process.stdout:
            now = time.monotonic()
            self.silence, self.heard, self.said = max(self.silence, now - self.heard), now, line.strip()

    def kill(self) -> None:
        """Kill it as the kernel would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def busy_workers(cluster: Any) -> list[int]:
    """Return the processes of a local cluster that train a piece now."""
    raylets = {node.all_processes["raylet"][0].process.pid for node in cluster.list_all_nodes()}
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title, facts = (folder / "cmdline").read_bytes(), (folder / "stat").read_text()
        except OSError:
            continue
        if title.startswith(b"ray::train_piece") and int(facts.rpartition(")")[2].split()[1]) in raylets:
            found.append(int(folder.name))
    return found


def disturb(cluster: Any, driver: Driver, kills: int, losses: bool, most: float, seed: int) -> dict[str, int]:
    """Kill workers at most ``most`` seconds apart, and after a third and two thirds of them a node and the driver."""
    draw = np.random.default_rng(seed)
    done = {"workers": 0, "nodes": 0, "drivers": 0}
    while not driver.said:
        time.sleep(0.1)
    while driver.process.poll() is None:
        time.sleep(draw.uniform(0.3, most))
        if not done["nodes"] and done["workers"] >= kills // 3:
            cluster.remove_node(sorted(cluster.worker_nodes, key=lambda n: n.node_ip_address)[0], allow_graceful=False)
            done["nodes"] += 1
        elif losses and not done["drivers"] and done["workers"] >= 2 * kills // 3:
            driver.kill()
            cluster.add_node(node_ip_address="127.0.0.4", **NODE)
            driver.begin()
            done["drivers"] += 1
        elif done["workers"] < kills and (busy := busy_workers(cluster)):
            os.kill(int(draw.choice(sorted(busy))), signal.SIGKILL)
            done["workers"] += 1
        if time.monotonic() - driver.heard > 60:
            driver.kill()
    return done


def lose(pieces: int, epochs: int, kills: int, seed: int, whole: bool = True) -> dict[str, Any]:
    """Run a study while parts of a cluster of three nodes are killed; return what happened.

    ``whole``: the driver is killed too.
    """
    os.environ.update(LOOPBACK)
    from ray.cluster_utils import Cluster

    began = time.monotonic()
    blocks, design = study(pieces, epochs, seed)
    head = {**NODE, "node_ip_address": "127.0.0.1", "_system_config": HEARTBEAT}
    cluster = Cluster(initialize_head=True, connect=False, head_node_args=head)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.sqlite"
        try:
            for last in (2, 3):
                cluster.add_node(node_ip_address=f"127.0.0.{last}", **NODE)
            words = [str(journal), "--pieces", str(pieces), "--epochs", str(epochs), "--seed", str(seed)]
            driver = Driver(words, cluster.address)
            killed = disturb(cluster, driver, kills, whole, min(4.0, pieces / 16), seed)
        finally:
            cluster.shutdown()
        with sqlite3.connect(journal) as database:
            rows = [key for (keys,) in database.execute("SELECT members FROM pieces") for key in json.loads(keys)]
    seconds = time.monotonic() - began
    serial = fingerprint(train_population(blocks, design, chunk=TOGETHER))
    return {
        "pieces": pieces,
        "killed": killed,
        "equal": driver.said == f"sha256 {serial}",
        "each piece once": sorted(rows) == sorted(member_keys(blocks, design)),
        "longest silence": round(driver.silence, 1),
        "seconds": round(seconds, 1),
        "sha256": serial[:16],
    }


def overhead(pieces: int, epochs: int, seed: int) -> dict[str, Any]:
    """Train the same pieces on local processes and on a local Ray, each twice, in turn; both are warm."""
    torch.set_num_threads(1)
    blocks, design = study(pieces, epochs, seed)
    _, small = study(8, 1, seed)
    seconds: dict[str, list[float]] = {"processes": [], "ray": []}
    began = time.perf_counter()
    train_population(blocks, study(1, epochs, seed)[1], chunk=TOGETHER)
    piece, cores = time.perf_counter() - began, len(os.sched_getaffinity(0))
    for _ in range(2):
        for kind in seconds:
            began = time.perf_counter()
            with hands(blocks, cores, reach("ray" if kind == "ray" else None, cores)) as crew:  # type: ignore[union-attr]
                train_population(blocks, small, crew=crew, chunk=1)
                print(f"{kind}: ready after {time.perf_counter() - began:.1f} s", flush=True)
                seconds[kind].append(train_population(blocks, design, crew=crew, chunk=TOGETHER).seconds)
                print(f"{kind}: {seconds[kind][-1]:.1f} s", flush=True)
    rounded = {kind: [round(s, 1) for s in found] for kind, found in seconds.items()}
    more = min(seconds["ray"]) / min(seconds["processes"]) - 1
    return {"pieces": pieces, "seconds of one": round(piece, 1), "cores": cores, **rounded, "overhead": round(more, 3)}


def describe(epochs: int, seed: int) -> None:
    """Print what this kind of processor finds; a process of its own."""
    import riata

    torch.set_num_threads(1)
    blocks, design = study(6, epochs, seed)
    found = train_population(blocks, design).members
    draw = np.random.default_rng(seed)
    x = draw.standard_normal((300, 8))
    asked: dict[str, Any] = {"hidden": (16,), "folds": 3, "seeds": 2, "path_length": 8, "workers": 1, "epochs": 30}
    decision = riata.choose(x, y=x[:, 0] - x[:, 1] * x[:, 0] + draw.standard_normal(300), budget="1h", **asked)
    verdict = decision.verdict
    facts = {
        "capability": torch.backends.cpu.get_cpu_capability(),
        "sha256": fingerprint(Population(found, 0.0))[:16],
        "outputs": np.stack([m.test_outputs for m in found]).ravel().tolist(),
        "losses": [m.valid_loss for m in found],
        "supports": [(m.norms > 0).tolist() for m in found],
        "verdict": [verdict["penalty"], verdict["dropout"], decision.evidence, list(decision.kept)],
        "lam": verdict["lam"],
    }
    print(json.dumps(facts))


def kinds(epochs: int, seed: int) -> dict[str, Any]:
    """Compare what the instructions of several processors find, on this machine."""
    found = {}
    for kind in KINDS:
        isa = {"default": "SSE41", "avx2": "AVX2", "avx512": "AVX512_CORE"}[kind]
        mkl = {"default": "SSE4_2", "avx2": "AVX2", "avx512": "AVX512"}[kind]
        there = {**os.environ, "ATEN_CPU_CAPABILITY": kind, "ONEDNN_MAX_CPU_ISA": isa, "MKL_ENABLE_INSTRUCTIONS": mkl}
        words = [sys.executable, __file__, "describe", "--epochs", str(epochs), "--seed", str(seed)]
        out = subprocess.run(words, env=there, capture_output=True, text=True, check=True).stdout
        found[kind] = json.loads(out.splitlines()[-1])
    first, rest = found[KINDS[0]], [found[kind] for kind in KINDS[1:]]

    def apart(what: str) -> float:
        return max(float(np.abs(np.subtract(f[what], first[what])).max()) for f in rest)

    return {
        "kinds": {kind: [f["capability"], f["sha256"]] for kind, f in found.items()},
        "outputs apart": apart("outputs"),
        "largest output": float(np.abs(first["outputs"]).max()),
        "held-out losses apart": apart("losses"),
        "largest held-out loss": max(first["losses"]),
        "same supports": all(f["supports"] == first["supports"] for f in rest),
        "same verdict": all(f["verdict"] == first["verdict"] for f in rest),
        "lam": [f["lam"] for f in found.values()],
        "verdict": first["verdict"],
    }


def main() -> None:
    """Run one mode and print its figures."""
    say = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    say.add_argument("mode", choices=("lose", "overhead", "kinds", "drive", "describe"))
    say.add_argument("journal", nargs="?", help="of drive, which lose starts by itself")
    say.add_argument("--seed", type=int, default=0)
    say.add_argument("--kills", type=int, default=30, help="worker processes to kill")
    say.add_argument("--pieces", type=int, help="pieces of four networks")
    say.add_argument("--epochs", type=int, help="sets how long a piece takes: 400 are about 5 s")
    asked = say.parse_args()
    seed = asked.seed
    if asked.mode == "drive":
        drive(Path(asked.journal), asked.pieces, asked.epochs, seed)
        return
    if asked.mode == "describe":
        describe(asked.epochs, seed)
        return
    load = [round(v, 1) for v in os.getloadavg()]
    print(f"seed {seed}, {os.cpu_count()} cores, load {load[0]} when it began", flush=True)
    if asked.mode == "lose":
        found = lose(asked.pieces or 150, asked.epochs or 60, asked.kills, seed)
    elif asked.mode == "overhead":
        found = overhead(asked.pieces or 12, asked.epochs or 400, seed)
    else:
        found = kinds(asked.epochs or 60, seed)
    print(json.dumps({"mode": asked.mode, "seed": seed, "load": load, **found}))


if __name__ == "__main__":
    main()
