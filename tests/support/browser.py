"""A real browser: Debian's Chromium, driven by Playwright; skipped where it does not start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip
START_SECONDS = 120


def started_browser() -> Iterator[Any]:
    """Give a browser; Playwright can be started once in a process only."""
    playwright = pytest.importorskip("playwright.sync_api", reason="pip install '.[dev]'")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(
                executable_path=program, args=list(FLAGS), timeout=1000 * START_SECONDS
            )
        except playwright.Error as error:
            pytest.skip(f"Chromium does not start here: {str(error).splitlines()[0]}")
        yield browser
        browser.close()
