"""The documentation site, above all the course's pages, opened from a folder in a real browser."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = ["index", *(path.stem for path in sorted((ROOT / "docs/notebooks").glob("[0-9]*_*.py")))]
BROKEN = "images => images.filter(image => !image.complete || !image.naturalWidth).length"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in ("mkdocs", "marimo"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install '.[docs,course]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "notebooks"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_pages_fit_the_screen_and_need_no_network(site, browser, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    backgrounds = set()
    for name in NAMES:
        page.goto(f"file://{site / name}.html")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        assert page.eval_on_selector_all("img", BROKEN) == 0, name
        assert "$" not in page.locator("article").inner_text(), name
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        if name != "index":
            assert page.locator("article img[alt]").count() >= 1, name
            assert page.locator("article math").count() >= 1, name
            assert page.locator("article details").count() >= 2, name
    for path in sorted(site.parent.rglob("*.html")):
        page.goto(f"file://{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()
    assert asked
    assert all(url.startswith(("file:", "data:")) for url in asked), asked
    assert len(backgrounds) == 1
    light = sum(map(int, next(iter(backgrounds)).strip("rgba()").split(",")[:3])) > 3 * 128
    assert light == (scheme == "light")
