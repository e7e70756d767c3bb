"""Pages in a real browser."""

import pytest


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page's text from a file; complaints of the browser and requests fail the test."""
    troubles, contexts = [], []

    def call(text: str, width: int = 1280, scheme: str = "light", **options):
        path = tmp_path / f"page{len(contexts)}.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(
            viewport={"width": width, "height": 844},
            color_scheme=scheme,
            reduced_motion="reduce",
            **options,
        )
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda message: troubles.append(f"console: {message.text}"))
        tab.on("pageerror", lambda error: troubles.append(f"error: {error}"))
        tab.on(
            "request",
            lambda request: (
                request.url.startswith(("file:", "data:")) or troubles.append(request.url)
            ),
        )
        tab.goto(path.as_uri())
        return tab

    yield call
    for context in contexts:
        context.close()
    assert troubles == []
