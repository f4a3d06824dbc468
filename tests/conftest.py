"""Puts this folder on the path, so that tests find the modules they share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
