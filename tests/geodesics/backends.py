"""What runs under geomstats' other backend: a program of its own, chosen at import."""

import json
import os
import subprocess
import sys
from pathlib import Path


def under_autograd(script):
    """Run a script, beside the tests, under the autograd backend; what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={
            **os.environ,
            "GEOMSTATS_BACKEND": "autograd",
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
