"""Settings of the whole suite, made before numpy is imported."""

import os

# two workers share two cores: threads of linear algebra would only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
