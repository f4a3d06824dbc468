"""Puts this folder on the path, so that tests find the modules they share."""

import os
import sys
from pathlib import Path

# two workers share two cores: threads of linear algebra would only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

sys.path.insert(0, str(Path(__file__).parent))
