"""Hypothesis profiles: quick and repeatable by default, deeper with --hypothesis-profile=deep.

And the browser: one at a time in a process.
"""

import pytest
from hypothesis import HealthCheck, settings
from support.browser import started_browser

_QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("quick", max_examples=60, deadline=None, derandomize=True,
                          suppress_health_check=_QUIET)  # fmt: skip
settings.register_profile("deep", max_examples=2000, deadline=None, suppress_health_check=_QUIET)
settings.load_profile("quick")


@pytest.fixture(scope="module")
def browser():
    """Chromium through Playwright."""
    yield from started_browser()
