"""A lesson as a page of the site, with links from its words and formulas to the code.

Which line computes a formula: where a paragraph begins with a piece of code, the line with this
piece computes what stands before it, which is the longest equation of the paragraph before, or
else the displayed formula. An equation within a paragraph belongs to the next piece of code there.
Pieces are looked for in what the lesson quotes, then in the files that it names, in the rest of
the code, and in the lesson's own blocks.
"""

import ast
import posixpath
import re
import struct
from html import escape
from pathlib import Path
from urllib.parse import unquote

from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments.lexers import BashLexer, PythonLexer, TextLexer

from .page_of_code import KEEP, Page, highlight
from .symbols import (
    ROOT,
    Place,
    code_links,
    definitions,
    find,
    imported,
    lines_with,
    names_of,
    read,
    slug,
    sources,
)

PIECE = r" [*/=+@-] |\w\(."  # in backticks: a piece of code, not a name
EQUATION = r"[^-+=]{1,24}(=|\\(approx|leftarrow)\b)"  # a formula that says what one thing is
SHORT = 12  # characters of a formula; shorter ones, as t = 0, are not what a line computes
MATHML = {  # what latex2mathml writes, and what browsers know
    'width="thinmathspace"': 'width="0.17em"',
    "<mi>log</mi>": '<mi>log</mi><mspace width="0.17em"/>',  # else log p reads as logp
    "<mo>&#x02016;</mo>": '<mo stretchy="false" lspace="0" rspace="0">&#x02016;</mo>',
}
RELATION = r"(?==|\\(?:ge|approx|leftarrow)\b)"  # before it a displayed formula may be broken
# A formula within a line, as a link or not, and the punctuation that must not leave it.
PUNCTUATED = r'((?:<a [^>]*>)?<math [^>]*"inline">(?:(?!</math>).)*</math>(?:</a>)?)([.,;:?)]+)'


class Lesson(Page):
    """A markdown file as a page."""

    def __init__(self, file: str):
        super().__init__(file)
        self.markdown = MarkdownIt("commonmark", {"html": True, "typographer": True})
        self.markdown.enable(["table", "smartquotes"]).use(dollarmath_plugin, double_inline=True)
        self.tokens = self.markdown.parse(read(file))
        self.quoted: list[Place] = []
        self.blocks: list[str] = []  # the code that runs
        self.names: dict[str, Place] = {}  # which it imports from here
        self.own: set[str] = set()  # which it defines itself
        above = ""
        for token in self.tokens:
            if token.type == "fence":
                self.look_at(token, above)
            above = token.content if token.type == "html_block" else ""
        named = map(self.found, re.findall(r"`([\w./-]+\.py)`", read(file)))
        files = [*(file for file, _ in self.quoted), *filter(None, named)]
        self.files = list(dict.fromkeys(files))
        titles = [b.content for a, b in zip(self.tokens, self.tokens[1:]) if a.tag == "h1"]
        number, title = re.fullmatch(r"(\d\d\w? )?(.*)", [*titles, file][0]).groups(default="")
        self.number, self.title = number.strip(), title

    def name(self) -> str:
        return f'<span class="number">{self.number}</span>{self.markdown.renderInline(self.title)}'

    def look_at(self, fence: Token, above: str) -> None:
        """Note what a fence quotes, or runs, by the comment above it."""
        note = re.fullmatch(r"<!-- (.*) -->\s*", above)
        fence.meta["note"] = note[1] if note else ""
        if fence.meta["note"].startswith("quote "):
            fence.meta["quote"] = tuple(fence.meta["note"].split()[1:])
            self.quoted.append(fence.meta["quote"])
        elif fence.info == "python":
            self.blocks.append(fence.content)
            fence.meta["block"] = f"block{len(self.blocks)}"
            tree = ast.parse(fence.content)
            self.names |= imported(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.ClassDef):
                    self.own.add(node.name)
                elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    self.own.add(node.id)

    # what words and formulas mean

    def found(self, name: str) -> str | None:
        """The file or folder that a name in backticks means."""
        if not re.fullmatch(r"(\w[\w.-]*/)*(\w[\w-]*\.(py|md|json|mp4|txt|toml))?", name):
            return None
        return find(name)

    def symbol(self, name: str) -> Place | None:
        """The definition that a name in backticks means, if there is but one that it can mean."""
        name = re.sub(r"\(.*\)$", "", name).removeprefix("tav.")
        if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", name) or name in self.own:
            return None
        for files in (self.files, *sources()):
            known = [(f, s) for f in files if f.endswith(".py") for s in definitions(f)]
            places = [place for place in known if place[1] == name]
            if not places and files is self.files:  # a method without its class
                places = [place for place in known if place[1].endswith(f".{name}")]
            if places:
                return places[0] if len(places) == 1 else None
        return None

    def line_of(self, piece: str) -> Place | None:
        """Where a piece of code in backticks stands: file and line; without a file, a block."""
        if not re.search(PIECE, piece):
            return None
        for file, symbol in self.quoted:
            if lines := lines_with(piece, read(file), *definitions(file)[symbol]):
                return file, lines
        for file in dict.fromkeys([*self.files, *sum(sources(), [])]):
            if file.endswith(".py") and (lines := lines_with(piece, read(file))):
                return file, lines
        for i, block in enumerate(self.blocks, 1):
            if lines := lines_with(piece, block):
                return "", f"block{i}-{lines}"
        return None

    def find_lines(self) -> None:
        """Tie formulas and pieces of code to the lines that compute them, as said above."""
        before: list[Token] = []  # what a piece of code that comes right now would compute
        for token in self.tokens:
            if token.type in ("fence", "heading_open"):
                before = []
            elif token.type == "math_block":
                before = [token]
            elif token.type == "inline":
                within = []
                for i, child in enumerate(token.children):
                    if child.type == "math_inline" and re.match(EQUATION, child.content):
                        within.append(child)
                    elif child.type == "code_inline" and (line := self.line_of(child.content)):
                        for formula in [child, *within, *(before if i == 0 else [])]:
                            formula.meta["line"] = line
                        within, before = [], []
                long = [formula for formula in within if len(formula.content) >= SHORT]
                before = sorted(long, key=lambda child: len(child.content))[-1:] or before

    # as HTML

    def render(self) -> str:
        self.find_lines()
        for i, token in enumerate(self.tokens):
            if token.type == "heading_open":
                token.attrs["id"] = slug(self.tokens[i + 1].content)
            elif token.type == "inline":
                self.add_links(token.children)
            elif token.type == "paragraph_open":
                children = self.tokens[i + 1].children
                if [child.type for child in children] == ["image"]:
                    token.tag = self.tokens[i + 2].tag = "figure"
                elif "line" in children[0].meta and children[0].type == "code_inline":
                    token.attrs["class"] = "computes"
        rules = self.markdown.renderer.rules
        rules["table_open"] = lambda *_: '<div class="wide" tabindex="0"><table>'
        rules["table_close"] = lambda *_: "</table></div>"
        for kind in ("fence", "image", "math_block", "math_inline", "math_inline_double"):
            rules[kind] = lambda tokens, i, *_, rule=getattr(self, kind): rule(tokens[i])
        html = self.markdown.renderer.render(self.tokens, self.markdown.options, {})
        return re.sub(PUNCTUATED, r'<span class="unbroken">\1\2</span>', html, flags=re.DOTALL)

    def add_links(self, children: list[Token]) -> None:
        """Let links lead within the site, and make links of files, names and code in backticks."""
        inside = False
        for child in list(children):
            if child.type == "link_open":
                self.lead(child)
            if child.type in ("link_open", "link_close"):
                inside = child.type == "link_open"
            if child.type == "code_inline" and not inside:
                place = child.meta.get("line") or self.symbol(child.content)
                if not place and (file := self.found(child.content)):
                    place = (file, "")
                if place:
                    html = f"<code>{escape(child.content)}</code>"
                    child.type, child.content = "html_inline", self.to(place, html)

    def link(self, file: str, anchor: str = "") -> str:
        """The attributes of a link: code opens on the right, and text instead of this page."""
        url = self.url(file, anchor)
        code = url.partition("#")[0].endswith(".html") and not self.links[-1].endswith(".md")
        return f'href="{url}"' + (' target="code"' if code else "")

    def lead(self, link: Token) -> None:
        """Turn the address in a link of the text into the site's."""
        path, _, anchor = unquote(link.attrs["href"]).partition("#")
        if path and not re.match(r"\w+:", path):
            attributes = self.link(self.there(path), anchor)
            link.attrs |= dict(re.findall(r'(\w+)="(.*?)"', attributes))

    def there(self, path: str) -> str:
        """The file of the repository that this one calls by a path."""
        file = posixpath.normpath(posixpath.join(posixpath.dirname(self.file), path))
        if not (ROOT / file).exists():
            raise SystemExit(f"error: {self.file} names {path}, which is not there")
        return file

    def to(self, place: Place, html: str, kind: str = "") -> str:
        file, anchor = place
        attributes = self.link(file, anchor) if file else f'href="#{anchor}"'
        return f"<a {attributes}{kind}>{html}</a>"

    def fence(self, token: Token) -> str:
        quote, note, label, names = token.meta.get("quote"), token.meta["note"], "", self.names
        kind, links, id = token.info or "plain", {}, ""
        if quote:
            kind, names = "quote", names_of(quote[0])
            label = self.to(quote, f"{quote[0]} <b>{quote[1]}</b>")
        elif note.startswith("within"):
            label = f"<span>Numbers may differ: {escape(note)}</span>"
        if token.info == "python":
            owner = (quote[0], quote[1].split(".")[0]) if quote else ()
            links = code_links(token.content, names, *owner)
        lexer = {"python": PythonLexer, "sh": BashLexer}.get(token.info, TextLexer)(**KEEP)
        body = ""
        for i, line in enumerate(highlight(token.content, lexer, links, self.link), 1):
            id = f' id="{token.meta["block"]}-L{i}"' if "block" in token.meta else ""
            body += f'<span class="line"{id}>{line}\n</span>'
        label = label and f"<figcaption>{label}</figcaption>"
        return (
            f'<figure class="listing {kind}">{label}'
            f'<pre tabindex="0"><code>{body}</code></pre></figure>\n'
        )

    def image(self, token: Token) -> str:
        file = self.there(token.attrs["src"])
        url, alt, (width, height) = self.url(file), escape(token.content), size(ROOT / file)
        return (
            f'<a class="picture" href="{url}"><img src="{url}" alt="{alt}" width="{width}" '
            f'height="{height}" loading="lazy"></a>'
            f'<figcaption aria-hidden="true">{alt}</figcaption>'
        )

    def math_block(self, token: Token) -> str:
        """A displayed formula, of which the parts between wide spaces may stand in lines, and be
        broken before relations."""
        html = ""
        for part in split(token.content, r"(?=\\qquad)"):
            pieces = split(part.removeprefix(r"\qquad"), RELATION)
            html += f"<span>{'<wbr>'.join(self.math(piece, 'block') for piece in pieces)}</span>"
        return f'<div class="wide">{self.tie(token, html)}</div>\n'

    def math_inline(self, token: Token) -> str:
        return self.tie(token, self.math(token.content, "inline"))

    def math_inline_double(self, token: Token) -> str:
        return self.tie(token, self.math(token.content, "block"))

    def math(self, latex: str, display: str) -> str:
        html = convert(latex.strip(), display=display)
        for old, new in MATHML.items():
            html = html.replace(old, new)
        return html

    def tie(self, formula: Token, html: str) -> str:
        """A formula as a link to the line that computes it, if one is known."""
        line = formula.meta.get("line")
        return self.to(line, html, ' class="formula"') if line else html


def split(latex: str, before: str) -> list[str]:
    """A formula in parts, each but the first with what stands `before` at its start; not within
    brackets."""
    parts = [""]
    for part in re.split(before, latex):
        pairs = (r"{", r"}"), (r"\\left\b", r"\\right\b"), (r"\\begin\b", r"\\end\b")
        left, right = zip(*((len(re.findall(x, parts[-1])) for x in pair) for pair in pairs))
        parts = [*parts, part] if left == right else [*parts[:-1], parts[-1] + part]
    return [part for part in parts if part.strip()]


def size(file: Path) -> tuple[int, int]:
    """Width and height of a png or a gif, for which the page keeps room."""
    head = file.read_bytes()[:24]
    gif = head[:3] == b"GIF"
    return struct.unpack("<HH", head[6:10]) if gif else struct.unpack(">II", head[16:24])
