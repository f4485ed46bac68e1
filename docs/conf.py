"""The documentation site, by Sphinx: `make docs` builds it into out/docs, and nothing on it comes from a network.

Pages are Markdown. A line `{{ name }}` becomes what the function `name` of generated.py says, so that no page repeats
what the code knows. A word behind a fence's language, as in "bash hardware", is one of MARKS: tests/test_docs.py runs
the commands, but those that need something are only held against the command line.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

sys.path.insert(0, str(Path(__file__).parent))
import drawings
import generated
from blazeposer import __version__

MARKS = {
    "hardware": "Needs a camera",
    "data": "Needs photos with labels",
    "long": "Takes its time",
    "install": "Fetches packages",
    "background": "Leave it running, and go on in another terminal",
    "live": "Ctrl-C ends it",
}
"""Words on the page for each label of a command block."""

PARTS = {**vars(generated), **vars(drawings)}
"""The functions that make parts of pages, by name."""

project = "BlazePoser"
release = __version__
extensions = ["myst_parser", "sphinx_copybutton"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"BlazePoser {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_show_copyright = False
highlight_language = "text"


def prepare(text: str) -> str:
    """A page with its generated parts and the words of its marks in place."""
    text = re.sub(r"^{{ (\w+) }}$", lambda found: PARTS[found[1]](), text, flags=re.MULTILINE)
    return re.sub(
        r"^```(\w+) (\w+)$", lambda found: f"```{{code-block}} {found[1]}\n:caption: {MARKS[found[2]]}\n", text,
        flags=re.MULTILINE,
    )  # fmt: skip


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _fill)
    app.connect("include-read", _fill)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


def _fill(*event: Any) -> None:
    """The last that comes with either event is a list whose one item is the text."""
    event[-1][0] = prepare(event[-1][0])


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode
