"""What the site does to its pages: formulas to MathML, links out of docs/, the help of commands.

Formulas become MathML when the site is built, so pages load no script for them and need no network.
"""

from __future__ import annotations

import html
import re
import runpy
from pathlib import Path
from typing import Any

import click
import notebook_pages
from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)
LINK_OUT = re.compile(r"\[([^\]]*)\]\((?:\.\./)+([^)#]+)\)")
HELP = re.compile(r"^::help (relucert|reductions)$", re.MULTILINE)
# What the converter leaves to be wished for: names letter by letter, braces as identifiers, no
# space around functions and colons, too much of it around bars, slashes, signs and the empty set.
BETTER: tuple[tuple[str, Any], ...] = (
    (
        r'(?:<mi mathvariant="normal">\w</mi>){2,}',
        lambda match: f"<mi>{re.sub('<[^>]+>', '', match[0])}</mi>",
    ),
    (r"<mi>&#x0007([BD]);</mi>", r'<mo stretchy="false">&#x0007\1;</mo>'),
    (r"<mi>(log|exp)</mi>", r'<mspace width="0.17em" /><mi>\1</mi><mspace width="0.17em" />'),
    (r"<m[io]>(:|&#x0003A;)</m[io]>", r'<mo lspace="0.25em" rspace="0.25em">\1</mo>'),
    (r'<mo stretchy="true">&#x000AF;</mo>', r'<mo stretchy="false">&#x000AF;</mo>'),
    (r"<mo>(&#x02205;)</mo>", r"<mi>\1</mi>"),
    (
        r'<mo(?: stretchy="false")?>(&#x0007C;|&#x02016;)</mo>',
        r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>',
    ),
    (r"<mo>(/|&#x0002F;)</mo>", r'<mo lspace="0.06em" rspace="0.06em">\1</mo>'),
    # A minus after a relation is a sign.
    (
        r"(<mo>(?:&#x02264;|&#x02265;|&#x0003D;|&#x0003C;|&#x0003E;)</mo>)<mo>(&#x02212;)</mo>",
        r'\1<mo form="prefix" rspace="0">\2</mo>',
    ),
)
FENCES = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_config(config: Any, **_: Any) -> Any:
    """Name every notebook under Course."""
    course = next(entry["Course"] for entry in config.nav if "Course" in entry)
    course.extend(f"notebooks/{path.stem}.md" for path in notebook_pages.notebooks())
    return config


def on_files(files: Any, config: Any, **_: Any) -> Any:
    """A page for every notebook of the course, executed now."""
    try:
        found = notebook_pages.pages()
    except RuntimeError as error:
        raise PluginError(f"{error}\nThe course needs: pip install '.[course]'") from error
    for name, text in found.items():
        files.append(File.generated(config, f"notebooks/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Name files outside docs/, which the site does not hold, instead of linking to them."""
    if page.file.generated_by:
        return markdown
    source = Path(page.file.abs_src_path)

    def name(match: re.Match[str]) -> str:
        text, path = match[1], match[0].rsplit("](", 1)[1][:-1]
        target = (source.parent / path).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return match[0]
        if not target.exists():
            raise FileNotFoundError(f"{source}: {path} does not exist")
        inside = target.relative_to(ROOT).as_posix()
        return f"`{inside}`" if text.strip("`") == inside else f"{text} (`{inside}`)"

    parts = FENCES.split(markdown)
    named = [part if part.startswith("```") else LINK_OUT.sub(name, part) for part in parts]
    text = HELP.sub(lambda match: _help(match[1]), "".join(named))
    text = text.replace("::course\n", f"{notebook_pages.contents()}\n")
    return text.replace("::rooms\n", f"{_rooms()}\n")


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Formulas as MathML, which browsers draw by themselves; plain text in tables of contents."""
    _plain_titles(page.toc)
    return FORMULA.sub(_mathml, notebook_pages.with_chunks(html))


def _plain_titles(items: Any) -> None:
    for item in items:
        item.title = re.sub(r"\\\(|\\\)|\\(?=[a-z])", "", item.title)
        _plain_titles(item.children)


def _mathml(match: re.Match[str]) -> str:
    text = html.unescape(re.sub(r"<[^>]+>", "", match[2])).strip()
    display = "block" if match[1] == "div" else "inline"
    drawn = convert(text[2:-2].strip(), display=display)
    if "\\" in re.sub(r"<annotation.*?</annotation>", "", drawn):
        raise PluginError(f"a command in this formula is not known: {text}")
    for pattern, better in BETTER:
        drawn = re.sub(pattern, better, drawn)
    shown = html.unescape(re.sub(r"<[^>]+>", "", drawn))
    wide = " wide" * (match[1] == "span" and len(shown) > 22)
    return f'<{match[1]} class="formula{wide}">{drawn}</{match[1]}>'


def _rooms() -> str:
    """The rooms of relucert from the highest rank to the lowest, from the table of the tests."""
    table = runpy.run_path(str(ROOT / "tests/test_layers.py"))
    trusted = set(table["TRUSTED_BASE"])
    rows = []
    for rank in reversed(table["RANKS"]):
        boxes = "".join(
            f'<span class="room{" trusted" * (name in trusted)}">{name}</span>'
            for name in sorted(rank)
        )
        rows.append(f"<li>{boxes}</li>")
    caption = "Imports go downwards. Rooms with a double frame are the trusted base."
    ranks = f"<ol>{''.join(rows)}</ol>"
    return f'<figure class="rooms">{ranks}<figcaption>{caption}</figcaption></figure>'


def _help(program: str) -> str:
    """The help of every command of a program, each under a heading."""
    from reductions.cli import program as reductions
    from relucert.cli.group import cli as relucert

    group = relucert if program == "relucert" else reductions
    context = click.Context(group, info_name=program, max_content_width=78, terminal_width=78)
    return "\n".join(
        f"### {program} {name}\n\n```text\n{_usage(command, name, context)}\n```\n"
        for name, command in sorted(group.commands.items())
    )


def _usage(command: click.Command, name: str, parent: click.Context) -> str:
    settings = {"max_content_width": 78, "terminal_width": 78, **command.context_settings}
    return command.get_help(click.Context(command, info_name=name, parent=parent, **settings))
