"""A decision on a cluster of hosts, one of which is cut off from the network on the way.

python benchmarks/hosts.py            three hosts, one is cut off and a new one joins; four minutes, root and Linux only

The hosts are network namespaces of this machine: each has an address, a link to a bridge and a Ray node of its own; the
driver is on the first. In the middle of the comparison the link of another host goes down, without a word to anybody;
later it comes up again and a fresh node joins from there. Then decision.json (but for the line ``seconds`` and the
option ``workers``), results.parquet and model.safetensors must be the bytes of one process on this machine. Printed:
seed, schedule, load, and one line of figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

BRIDGE, NET, PORT = "riatabr", "10.77.0", 6379
RIATA = [sys.executable, "-m", "riata"]
WORDS = (
    "choose t.csv --target y --folds 4 --seeds 6 --path-length 10 --penalties l1,group_lasso,l2 --hidden 32,16 "
    "--epochs 60 --dropout 0 --repeats 1 --budget 2h"
)
SERIES = "training networks: "


@dataclass(frozen=True)
class Hosts:
    """Namespaces with a Ray node each; ``tokens`` is the environment that lets one in."""

    names: list[str]
    tokens: dict[str, str] = field(
        default_factory=lambda: {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    )

    def inside(self, host: int, words: list[str]) -> list[str]:
        """Return a command as it is run on a host."""
        return ["ip", "netns", "exec", self.names[host], *words]

    def link(self, host: int, state: str) -> None:
        """Set the link of a host up or down."""
        called(["ip", "link", "set", f"{self.names[host]}v", state])

    def start(self, host: int) -> None:
        """Start the Ray node of a host; the first is the head."""
        own = f"{NET}.{host + 1}"
        where = ["--head", "--port", str(PORT)] if host == 0 else ["--address", f"{NET}.1:{PORT}"]
        words = [str(Path(sys.executable).parent / "ray"), "start", *where, "--node-ip-address", own, "--num-cpus", "1"]
        words += ["--object-store-memory", str(100 * 2**20), *(["--include-dashboard=false"] if host == 0 else [])]
        called(self.inside(host, words), self.tokens)

    def end(self, host: int) -> None:
        """Kill every process of a host."""
        pids = subprocess.run(["ip", "netns", "pids", self.names[host]], capture_output=True, text=True, check=False)
        subprocess.run(["kill", "-9", *pids.stdout.split()], capture_output=True, check=False)


def called(words: list[str], more: dict[str, str] | None = None, where: Path | None = None) -> str:
    """Run a command; if it fails, end with what it said."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", **(more or {})}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=where, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}: exit {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


@contextmanager
def hosts(count: int) -> Iterator[Hosts]:
    """Make hosts, and take them away."""
    found = Hosts([f"riata{i + 1}" for i in range(count)])
    try:
        called(["ip", "link", "add", BRIDGE, "type", "bridge"])
        called(["ip", "link", "set", BRIDGE, "up"])
        for i, name in enumerate(found.names):
            called(["ip", "netns", "add", name])
            called(["ip", "link", "add", f"{name}v", "type", "veth", "peer", "name", "eth0", "netns", name])
            called(["ip", "link", "set", f"{name}v", "master", BRIDGE, "up"])
            called(found.inside(i, ["ip", "addr", "add", f"{NET}.{i + 1}/24", "dev", "eth0"]))
            for link in ("eth0", "lo"):
                called(found.inside(i, ["ip", "link", "set", link, "up"]))
        yield found
    finally:
        for i, name in enumerate(found.names):
            found.end(i)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", BRIDGE], capture_output=True, check=False)


def write_table(folder: Path) -> None:
    """Write a table of two classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 10)).round(3)
    y = (x[:, 0] + x[:, 1] * x[:, 2] + 0.5 * rng.normal(size=600) > 0).astype(int)
    lines = [",".join([*map(str, row), str(code)]) for row, code in zip(x.tolist(), y, strict=True)]
    (folder / "t.csv").write_text("\n".join([",".join([*(f"v{i}" for i in range(10)), "y"]), *lines]) + "\n")


def watched(hosts: Hosts, folder: Path, cut: float, back: float, victim: int) -> tuple[float, float]:
    """Decide on the hosts, cut one off when a share of the networks is there, and let a new node join at another one.

    Returns the seconds and the longest time between two signs of progress while networks were trained.
    """
    words = hosts.inside(0, [*RIATA, *WORDS.split(), "--workers", "ray", "--out", "cluster"])
    environment = {**os.environ, **hosts.tokens, "OMP_NUM_THREADS": "1", "RAY_ADDRESS": f"{NET}.1:{PORT}"}
    began = heard = time.monotonic()
    longest, joining = 0.0, []
    steps = [(cut, lambda: hosts.link(victim, "down")), (back, lambda: joining.append(rejoin(hosts, victim)))]
    run = subprocess.Popen(
        words, cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert run.stderr is not None
    for line in run.stderr:
        found = re.match(rf"{SERIES}(\d+) of (\d+)", line)
        now = time.monotonic()
        if found:
            longest = max(longest, now - heard) if int(found[1]) > 0 else longest
            while steps and int(found[1]) >= steps[0][0] * int(found[2]):
                steps.pop(0)[1]()
                print(
                    f"{now - began:.0f} s, {found[1]} of {found[2]} networks: {'cut off' if steps else 'back'}",
                    flush=True,
                )
        heard = now
    if run.wait():
        sys.exit(f"riata: exit {run.returncode}")
    for thread in joining:
        thread.join()
    return time.monotonic() - began, longest


def rejoin(hosts: Hosts, host: int) -> threading.Thread:
    """Give a host its link back, and start a fresh node there, in the background."""

    def again() -> None:
        hosts.end(host)
        hosts.link(host, "up")
        hosts.start(host)

    thread = threading.Thread(target=again)
    thread.start()
    return thread


def same(one: Path, other: Path) -> list[str]:
    """Return the files that differ."""
    wrong = [n for n in ("results.parquet", "model.safetensors") if (one / n).read_bytes() != (other / n).read_bytes()]
    facts = [json.loads((folder / "decision.json").read_text()) for folder in (one, other)]
    for each in facts:
        del each["seconds"], each["options"]["workers"]
    return wrong + ([] if facts[0] == facts[1] else ["decision.json"])


def main() -> None:
    """Run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=3, help="at least 2 [3]")
    parser.add_argument("--seed", type=int, default=0, help="of the times and of the host that is cut off [0]")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    cut, victim = draw.uniform(0.1, 0.4), draw.randrange(1, given.hosts)
    back = draw.uniform(cut + 0.1, 0.8)
    print(f"seed {given.seed}; host {victim + 1} is cut off at {cut:.0%} and back at {back:.0%}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="riata-hosts-"))
    write_table(folder)
    called([*RIATA, *WORDS.split(), "--workers", "1", "--out", "alone", "--quiet"], where=folder)
    with hosts(given.hosts) as there:
        for host in range(given.hosts):
            there.start(host)
        seconds, longest = watched(there, folder, cut, back, victim)
    print(f"load {os.getloadavg()[0]:.1f}")
    figure = {
        "different": same(folder / "alone", folder / "cluster"),
        "seconds": round(seconds, 1),
        "longest silence": round(longest, 1),
    }
    print(json.dumps(figure))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
