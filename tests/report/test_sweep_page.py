"""The report of a sweep: whole, escaped, and readable wherever it is opened."""

from html.parser import HTMLParser

from relucert.report.plots import AccuracyPoint, accuracy_svg, plot_accuracy
from relucert.report.sweep_page import sweep_page

CURVES = {
    "a<b>.onnx": [AccuracyPoint(0.01, 0.9, 1.0), AccuracyPoint(0.05, 0.4, 0.6)],
    "one.onnx": [AccuracyPoint(0.03, 0.5, 0.5)],
}


class Reader(HTMLParser):
    """Notes the words, and that every element is closed in order."""

    VOID = ("meta", "path", "use", "rect", "br")

    def __init__(self):
        super().__init__()
        self.open, self.words, self.tags = [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_words_are_escaped_and_elements_closed():
    page = sweep_page(
        "T <script>", "3 & 4", ("network", "n"), [("<i>", "1")], accuracy_svg(CURVES),
        [("x<y", 'said "<b>"')], [("command", "a > b")],
    )  # fmt: skip
    reader = read(page)
    words = "".join(reader.words)
    for text in ("T <script>", "3 & 4", "<i>", "x<y", 'said "<b>"', "a > b"):
        assert text in words
    assert {tag for tag, _ in reader.tags}.isdisjoint({"script", "i", "b", "link", "img"})
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in (
        reader.tags
    )
    assert "light dark" in page


def test_a_long_list_of_open_items_is_cut_and_says_so():
    items = [(f"item {n}", "time") for n in range(700)]
    words = "".join(read(sweep_page("t", "s", ("a",), [], "<svg></svg>", items, [])).words)
    assert "Not decided (700)" in words
    assert "item 499" in words
    assert "item 500" not in words
    assert "The first 500" in words


def test_the_picture_takes_the_ink_of_the_page():
    svg = accuracy_svg(CURVES)
    assert svg.startswith("<svg role=")
    assert svg.count("currentColor") > 5
    assert "#0a0b0c" not in svg
    assert svg == accuracy_svg(CURVES)


def test_pictures_are_files(tmp_path):
    for ending in ("png", "svg"):
        plot_accuracy(tmp_path / f"c.{ending}", CURVES, "title")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "c.svg").read_text()
