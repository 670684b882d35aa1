"""A file of the repository as a page of the site: its code, with links to what it names."""

import functools
import posixpath
from html import escape
from string import Template

from pygments.lexers import TextLexer, get_lexer_for_filename
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

from .symbols import ROOT, Links, code_links, definitions, names_of, read

ASSETS = ROOT / "lessons" / "page"
MOST_SHOWN = 300_000  # bytes of a file that becomes a page
KEEP = {"stripnl": False, "ensurenl": False}  # a lexer shall change nothing


@functools.cache
def is_text(file: str) -> bool:
    """Whether a file is shown as a page; otherwise it is copied as it is."""
    data = (ROOT / file).read_bytes()
    return len(data) <= MOST_SHOWN and b"\0" not in data


def address(file: str) -> str:
    """Where in the site a file or folder of the repository is."""
    if (ROOT / file).is_dir():
        return posixpath.join(file, "index.html")
    if file.endswith(".md"):
        return file.removesuffix(".md") + ".html"
    return f"{file}.html" if is_text(file) else file


class Page:
    """A page of the site, made of a file, and the files that it links to."""

    def __init__(self, file: str):
        self.file, self.links = file, []

    def relative(self, target: str) -> str:
        """A file of the site as this page has to name it."""
        return posixpath.relpath(target, posixpath.dirname(address(self.file)) or ".")

    def url(self, file: str, anchor: str = "") -> str:
        if (ROOT / file).is_dir() and (ROOT / file / "README.md").exists():
            file = posixpath.join(file, "README.md")
        self.links.append(file)
        return self.relative(address(file)) + (anchor and f"#{anchor}")

    def link(self, file: str, anchor: str = "") -> str:
        """The attributes of a link."""
        return f'href="{self.url(file, anchor)}"'

    def fill(self, template: str, **values: str) -> str:
        page = Template((ASSETS / template).read_text(encoding="utf-8"))
        values |= {"home": self.relative("index.html"), "assets": self.relative("page")}
        return page.substitute(values, file=self.file)


def code_page(page: Page) -> str:
    """A file, whole, with numbers at its lines, and a name wherever a symbol begins."""
    file, code, links, marks = page.file, read(page.file), {}, {}
    try:
        lexer = get_lexer_for_filename(file, **KEEP)
    except ClassNotFound:
        lexer = TextLexer(**KEEP)
    if file.endswith(".py"):
        links = code_links(code, names_of(file), file)
        for symbol, (first, last) in definitions(file).items():
            marks[first] = marks.get(first, "") + f'<a id="{symbol}" data-last="{last}"></a>'
    lines = enumerate(highlight(code, lexer, links, page.link), 1)
    body = [f'<span class="line" id="L{i}">{marks.get(i, "")}{line}\n</span>' for i, line in lines]
    return page.fill("code.html", body=f'<pre class="code"><code>{"".join(body)}</code></pre>')


def folder_page(page: Page) -> str:
    """The files of a folder; those that the site would show lead to their pages."""
    items = []
    for path in sorted(path for path in (ROOT / page.file).iterdir() if path.is_file()):
        name = path.relative_to(ROOT).as_posix()
        label = f"<a {page.link(name)}>{path.name}</a>" if is_text(name) else path.name
        items.append(f"<li>{label} <small>{path.stat().st_size:,} bytes</small></li>")
    return page.fill("code.html", body=f"<ul>{''.join(items)}</ul>")


def highlight(code: str, lexer, links: Links, attributes) -> list[str]:
    """A text as lines of HTML: words in classes, names in links with `attributes(file, symbol)`."""
    lines, column = [""], 0
    for kind, text in lexer.get_tokens(code):
        short = STANDARD_TYPES.get(kind, "")
        for k, part in enumerate(text.split("\n")):
            if k:
                lines.append("")
                column = 0
            html = f'<span class="{short}">{escape(part)}</span>' if short else escape(part)
            if part and (place := links.get((len(lines), column))):
                html = f"<a {attributes(*place)}>{html}</a>"
            lines[-1] += html if part else ""
            column += len(part)
    return lines if lines[-1] else lines[:-1]
