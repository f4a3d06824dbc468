"""Peers that run in an environment and a process of their own, one JSON line a request."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from pathlib import Path
from typing import Any

from common import HERE, thread_variables


def peer_python(name: str, dependencies: bool = False) -> Path:
    """Interpreter of the environment pinned by requirements-NAME.txt, made where missing.

    A list that names everything is installed as it stands; `dependencies` lets pip add to it.
    """
    home = HERE / ".envs" / name
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    requirements = HERE / f"requirements-{name}.txt"
    installed = home / requirements.name  # a copy, once all of it is there
    if not installed.exists() or installed.read_text() != requirements.read_text():
        print(f"making the environment of {name} …", flush=True)
        venv.create(home, with_pip=True, clear=True)
        alone = [] if dependencies else ["--no-deps"]
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
