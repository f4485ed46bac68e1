"""Settings of the documentation site for Sphinx. `make docs` writes the site into out/docs.

The site loads nothing from a network. Pages are Markdown. A line `{{ name }}` in a page is replaced by the result of
the function `name` of generated.py or drawings.py, so that pages do not repeat facts from the code. The first line of a
code block may have a second word after the language, as in "bash hardware". `MARKS` contains all second words.
tests/test_docs.py runs the commands of the pages. If a command needs hardware or data, the test does not run the
command, and only checks that the command and its options exist.
"""

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
    "long": "Takes a long time",
    "install": "Downloads packages",
    "background": "Leave this running, and continue in another terminal",
    "live": "Press Ctrl-C to stop",
}
"""Text on the page for each mark of a code block."""

PARTS = {**vars(generated), **vars(drawings)}
"""Functions that generate parts of pages, by their names."""

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
    """Return the text of a page, with generated parts in place of `{{ name }}`, and a caption in place of each mark."""
    text = re.sub(r"^{{ (\w+) }}$", lambda found: PARTS[found[1]](), text, flags=re.MULTILINE)
    return re.sub(
        r"^```(\w+) (\w+)$", lambda found: f"```{{code-block}} {found[1]}\n:caption: {MARKS[found[2]]}\n", text,
        flags=re.MULTILINE,
    )  # fmt: skip


def setup(app: Sphinx) -> None:
    """Register the functions of this file with Sphinx. Sphinx calls `setup` when it starts."""
    app.connect("source-read", _fill)
    app.connect("include-read", _fill)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


def _fill(*event: Any) -> None:
    """Replace the text of a page by the prepared text. Sphinx gives the text in a list, as the last argument."""
    event[-1][0] = prepare(event[-1][0])


def _inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(convert(node.astext(), display="block"))
    raise nodes.SkipNode
