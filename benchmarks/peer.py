"""Peers that run in an environment and a process of their own, one JSON line a request.

``requirements-NAME.txt`` pins the environment of the peer NAME; ``peers/protocol.py`` is the
other end of the line.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import venv
from pathlib import Path
from typing import Any

from common import HERE, thread_variables

OPEN = ("fisher", "stochman")
"""Peers whose lists leave out what torch brings along: pip adds to these."""


def add_peers(parser: argparse.ArgumentParser, *names: str) -> None:
    """Options --NAME-python."""
    for name in names:
        parser.add_argument(
            f"--{name}-python",
            type=Path,
            metavar="PATH",
            help=f"an interpreter that has requirements-{name}.txt",
        )


def start_peer(
    options: argparse.Namespace, name: str, script: str, double: bool = True
) -> PeerProcess:
    """A peer, running, under the interpreter of the options or of its own environment."""
    python = getattr(options, f"{name}_python") or peer_python(name)
    return PeerProcess(python, script, double)


def peer_python(name: str) -> Path:
    """Interpreter of the environment pinned by requirements-NAME.txt, made where missing."""
    home = HERE / ".envs" / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    requirements = HERE / f"requirements-{name}.txt"
    installed = home / requirements.name  # a copy, once all of it is there
    if not installed.exists() or installed.read_text() != requirements.read_text():
        print(f"making the environment of {name} …", flush=True)
        venv.create(home, with_pip=True, clear=True)
        alone = [] if name in OPEN else ["--no-deps"]
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *alone, "-r", requirements], check=True
        )
        installed.write_text(requirements.read_text())
    return python


class PeerProcess:
    """A running peer that answers one request at a time, on one thread."""

    def __init__(self, python: Path, script: str, double: bool = True) -> None:
        flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        self.process = subprocess.Popen(
            [python, HERE / "peers" / script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **{k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
                **thread_variables(1),
                "XLA_FLAGS": flags,
                "JAX_ENABLE_X64": str(int(double)),
                "JAX_PLATFORMS": "cpu",
                "MPLBACKEND": "agg",
            },
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, one answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the peer stopped with status {self.process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        """End it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=60)
