"""Fixtures of the tests of this folder."""

import pytest
from comparison_common import case


@pytest.fixture(params=["trained", "swirl", "unlabelled"])
def found(request):
    return case(request.param)
