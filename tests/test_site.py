"""The lessons as a site: its links, formulas and quotations, and in a headless Chromium its pages.

Without Chromium (Debian: `apt-get install chromium`) what needs it is skipped.
"""

import ast
import importlib.util
import json
import re
import threading
from contextlib import chdir
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from browser import CHROMIUM, Browser
from test_lessons import ROOT, RUN, quotes, read, same, source

for package in ("markdown_it", "mdit_py_plugins", "latex2mathml", "pygments"):
    pytest.importorskip(package, reason='the site needs pip install -e ".[lessons]"')

from lessons import figures, notebooks, site  # noqa: E402

lessons = pytest.mark.parametrize("lesson", RUN, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    site.build(folder)
    return folder


class Parsed(HTMLParser):
    """The links, sources, names and formulas of a page."""

    def __init__(self, file: Path):
        super().__init__()
        self.links, self.loads, self.ids, self.formulas, self.inside = [], [], [], [], 0
        self.feed(read(file))

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs["href"]] if tag == "a" and "href" in attrs else []
        self.loads += [attrs[key] for key in ("src", "srcset") if key in attrs]
        self.loads += [attrs["href"]] if tag == "link" else []
        self.ids += [attrs["id"]] if "id" in attrs else []
        if tag == "math":
            self.inside += 1
            self.formulas.append("")

    def handle_endtag(self, tag):
        self.inside -= tag == "math"

    def handle_data(self, data):
        if self.inside:
            self.formulas[-1] += data


@pytest.fixture(scope="module")
def pages(built) -> dict[Path, Parsed]:
    return {file: Parsed(file) for file in sorted(built.rglob("*.html"))}


# ---- what is written


def test_links_lead_to_what_is_there(built, pages):
    for file, page in pages.items():
        for link in page.links:
            if urlsplit(link).scheme:
                continue
            path, anchor = urldefrag(link)
            target = (file.parent / unquote(path)).resolve() if path else file
            assert target.is_file(), f"{file.relative_to(built)}: {link}"
            if anchor:
                ids = pages[target].ids
                lines = re.fullmatch(r"(.*L)(\d+)-(\d+)", anchor)
                named = [lines[1] + lines[2], lines[1] + lines[3]] if lines else [anchor]
                assert set(named) <= set(ids), f"{file.relative_to(built)}: {link}"


def test_nothing_is_loaded_from_elsewhere(built, pages):
    for file, page in pages.items():
        for address in page.loads:
            address = urldefrag(address)[0]
            assert address.startswith("data:") or (file.parent / address).resolve().is_file(), (
                f"{file.relative_to(built)} loads {address}"
            )
    for asset in (built / "page").iterdir():
        assert not re.search(r"https?:|@import", read(asset)), asset.name


def test_names_are_given_once(built, pages):
    for file, page in pages.items():
        assert len(page.ids) == len(set(page.ids)), file.relative_to(built)


@lessons
def test_formulas_are_there(lesson, built, pages):
    text = re.sub(r"(?ms)^```.*?^```$|`[^`\n]*`", "", read(lesson))
    page = pages[built / "lessons" / f"{lesson.stem}.html"]
    displayed = text.count("$$") // 2
    inline = len(re.findall(r"\$[^$]+\$", re.sub(r"(?s)\$\$.*?\$\$", "", text)))
    assert len(page.formulas) >= displayed + inline
    assert not [formula for formula in page.formulas if "\\" in formula], "a command is unknown"
    assert "$$" not in re.sub(
        r"(?s)<pre.*?</pre>|<code.*?</code>", "", read(built / "lessons" / f"{lesson.stem}.html")
    )


def test_a_formula_leads_to_the_line_below_it(tmp_path, monkeypatch):
    """The rule, on a text of its own; all the code is a file of the repository."""
    line = 1 + read(ROOT / "tav" / "schedule.py").splitlines().index(
        "        return a.sqrt() * x0 + (1 - a).sqrt() * noise"
    )
    text = (
        "# A title\n\n`tav/schedule.py` has $a = 1$.\n\n$$x_t = y$$\n\n"
        "`a.sqrt() * x0 + (1 - a).sqrt() * noise`\n\n$$u = v$$\n\nNothing computes it.\n\n"
        "An equation, $q = r + s + t$, is computed by `own = q  +  r`.\n\n"
        "```python\nq = r = 1\nown = q + r\n```\n"
    )
    monkeypatch.setattr(site, "read", lambda file: text if file == "a.md" else read(ROOT / file))
    html = site.Lesson("a.md").render()
    tied = dict(
        re.findall(r'<a href="([^"]*)"[^>]* class="formula"><math.*?>(<mrow>.*?)</math>', html)
    )
    assert list(tied) == [f"tav/schedule.py.html#L{line}", "#block1-L2"]
    assert html.count("<math") == 4


def test_a_name_is_linked_only_if_it_can_mean_one_thing(monkeypatch):
    text = "# A title\n\n`tav.load` and others\n\n```python\nsteps = 1\n```\n"
    monkeypatch.setattr(site, "read", lambda file: text if file == "a.md" else read(ROOT / file))
    lesson = site.Lesson("a.md")
    assert lesson.symbol("Schedule.add_noise") == ("tav/schedule.py", "Schedule.add_noise")
    assert lesson.symbol("tav.load") == ("tav/io/weights.py", "load")
    assert lesson.symbol("forward") is lesson.symbol("steps") is None


# ---- what is seen


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def address(built) -> str:
    server = site.serve(built, 0)
    server.RequestHandlerClass.func.log_message = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/"
    server.shutdown()


WIDE, PHONE = (1400, 900), (390, 844)
FRAME = "document.querySelector('iframe:not([hidden])')"
LIT = f"""(() => {{
    const page = {FRAME}?.contentDocument; if (!page) return [''];
    const lit = [...page.querySelectorAll('.lit')];
    const height = {FRAME}.contentWindow.innerHeight, top = lit[0]?.getBoundingClientRect().top;
    return [{FRAME}.contentWindow.location.pathname, page.body?.dataset.lit,
            top >= 0 && top < height, lit.map((line) => line.textContent).join('')];
}})()"""


def shown(browser, file: str, anchor: str) -> str:
    """What the right side has lit, once it has a place of a file in sight."""
    wanted = json.dumps([f"/{file}.html", anchor])
    lit = browser.until(
        f"(([path, ...rest]) => path.endsWith({wanted}[0]) && {wanted}[1] === rest[0]"
        f" && rest[1] && rest[2])({LIT})"
    )
    assert lit, f"{file} {anchor} is not in sight, but {browser.run(LIT)[:2]}"
    return lit


def test_every_page_loads_without_complaint(browser, address, built, pages):
    browser.window(*WIDE)
    for file in pages:
        browser.open(urljoin(address, file.relative_to(built).as_posix()))
        assert not browser.errors, file.relative_to(built)
        elsewhere = [url for url in browser.requests if not url.startswith((address, "data:"))]
        assert not elsewhere, file.relative_to(built)


@lessons
def test_the_right_side_follows_the_text(lesson, browser, address, tmp_path):
    """At each quotation its file is shown, and the symbol is lit: what is quoted, to the letter."""
    browser.window(*WIDE)
    browser.open(f"{address}lessons/{lesson.stem}.html")
    for i, (fence, file, symbol) in enumerate(quotes(read(lesson))):
        quote = f"document.querySelectorAll('figure.quote')[{i}]"
        browser.run(
            f"scrollBy({{top: {quote}.getBoundingClientRect().top - innerHeight * 0.59, "
            "behavior: 'instant'})"
        )
        lit = shown(browser, file, symbol)
        copy = tmp_path / "lit.py"
        copy.write_text(dedented(lit), encoding="utf-8")
        assert source(str(copy), symbol.split(".")[-1]) == fence.code, f"{file} {symbol}"
        (node,) = ast.parse(dedented(lit)).body
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        assert (first, node.end_lineno) == (1, lit.count("\n")), "more is lit than is quoted"
        assert lit in read(ROOT / file) + "\n"
        assert browser.run(f"{quote}.querySelector('pre').textContent") == fence.code


def dedented(code: str) -> str:
    lines = code.splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines) + "\n"


@pytest.fixture
def lesson_with_formulas(browser, address, built) -> str:
    """A lesson that has formulas tied to code on the right."""
    tied = r'class="formula"'
    page = next(
        p for p in sorted(built.glob("lessons/*.html")) if f'target="code" {tied}' in read(p)
    )
    return f"{address}lessons/{page.name}"


def test_pointing_at_a_formula_lights_its_line(browser, lesson_with_formulas):
    browser.window(*WIDE)
    browser.open(lesson_with_formulas)
    formula = "document.querySelector('a.formula[target=code]')"
    browser.run(f"{formula}.dispatchEvent(new Event('pointerenter'))")
    path, lines = browser.run(f"{formula}.getAttribute('href')").removeprefix("../").split("#L")
    first, _, last = lines.partition("-")
    code = read(ROOT / path.removesuffix(".html")).splitlines(keepends=True)
    assert shown(browser, path.removesuffix(".html"), f"L{lines}") == "".join(
        code[int(first) - 1 : int(last or first)]
    )
    browser.run(f"{formula}.dispatchEvent(new Event('pointerleave'))")
    assert browser.until(f"!/^L\\d/.test({LIT}[1])"), "it does not go back to the quotation"


def test_on_a_phone_the_code_is_called_and_closed(browser, lesson_with_formulas):
    browser.window(*PHONE)
    browser.open(lesson_with_formulas)
    pane = "getComputedStyle(document.querySelector('#code')).display"
    assert browser.run(pane) == "none"
    assert browser.run("document.documentElement.scrollWidth") == PHONE[0], "it is too wide"
    browser.run("document.querySelector('figure.quote figcaption a').click()")
    assert browser.run(pane) == "block"
    assert browser.until(f"{LIT}[3]")
    browser.key("Escape")
    assert browser.run(pane) == "none"


def test_it_can_be_read_by_keyboard(browser, lesson_with_formulas):
    browser.window(*WIDE)
    browser.open(lesson_with_formulas)
    browser.key("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    browser.key("Enter")
    assert browser.until("document.activeElement.id === 'text'")
    browser.run("document.querySelector('a.formula').focus({focusVisible: true})")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    browser.run("document.querySelector('details.contents summary').focus()")
    browser.key("Enter")
    assert browser.until("document.querySelector('details.contents').open")
    browser.key("Escape")
    assert not browser.run("document.querySelector('details.contents').open")
    browser.until(f"{FRAME}.contentDocument.body?.dataset.lit")
    browser.run(f"{FRAME}.contentWindow.focus()")
    browser.key("Escape")
    assert browser.until("getComputedStyle(document.querySelector('#code')).display === 'none'")


def test_a_name_in_the_code_leads_to_its_definition(browser, lesson_with_formulas):
    browser.window(*WIDE)
    browser.open(lesson_with_formulas)
    browser.until(f"{FRAME}.contentDocument.body?.dataset.lit")
    link = f"{FRAME}.contentDocument.querySelector('.code a[href*=\"#\"]')"
    target = browser.run(f"{link}.href")
    browser.run(f"{link}.click()")
    path, symbol = urldefrag(target)
    shown(browser, urlsplit(path).path.strip("/").removesuffix(".html"), symbol)


@pytest.mark.parametrize("dark", [False, True])
def test_letters_stand_out(browser, lesson_with_formulas, dark):
    """Contrast of at least 4.5 (WCAG 2.2, AA) for the text, its links, and all colours of code."""
    browser.window(*WIDE, dark=dark)
    browser.open(lesson_with_formulas)
    colours = browser.run(
        """(() => {
            const context = document.createElement('canvas').getContext('2d');
            const style = getComputedStyle(document.documentElement);
            const names = ['paper', 'panel', 'ink', 'soft', 'accent', 'lit', 'keyword', 'string',
                           'number', 'comment', 'defined'];
            return Object.fromEntries(names.map((name) => {
                context.fillStyle = style.getPropertyValue('--' + name);
                return [name, context.fillStyle];
            }));
        })()"""
    )
    light = {name: luminance(colour) for name, colour in colours.items()}
    pairs = [(ink, paper) for ink in ("ink", "soft", "accent") for paper in ("paper", "panel")]
    code = ("ink", "keyword", "string", "number", "comment", "defined")
    pairs += [(ink, paper) for ink in code for paper in ("panel", "lit")]
    for pair in pairs:
        low, high = sorted(light[name] for name in pair)
        assert (high + 0.05) / (low + 0.05) >= 4.5, pair


def luminance(colour: str) -> float:
    """The relative luminance of "#rrggbb", from 0 to 1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_it_needs_no_server(browser, built):
    """Opened as a file: the frame is then another origin's, and may not be looked into."""
    browser.window(*WIDE)
    for page in sorted(built.glob("lessons/0*.html"))[:3]:
        browser.open(page.as_uri())
        browser.run("document.querySelector('figure.quote')?.scrollIntoView()")
        browser.run("new Promise((done) => setTimeout(done, 200))")
        assert not browser.errors


# ---- notebooks


@lessons
def test_a_notebook_runs_what_the_lesson_runs(lesson, tmp_path):
    content = notebooks.notebook(lesson, tmp_path)
    code = [cell["source"] for cell in content["cells"] if cell["cell_type"] == "code"]
    text = "".join(c["source"] for c in content["cells"] if c["cell_type"] == "markdown")
    runs = [block for block, _ in figures.blocks(read(lesson))]
    assert code[1:] == [block.code.strip("\n") for block in runs]
    for fence in figures.fences(read(lesson)):
        if fence.language == "python":
            assert (fence.code in text) == fence.note.startswith("quote ")
    for cell in content["cells"]:
        for name in re.findall(r"\(attachment:([^)]*)\)", cell["source"]):
            assert name in cell["attachments"]
    if importlib.util.find_spec("nbformat"):
        import nbformat

        nbformat.validate(nbformat.reads(json.dumps(content), 4))


@pytest.mark.parametrize("number", ["01", "06"])  # quick ones
def test_a_notebook_runs_in_a_kernel(number, tmp_path):
    """From a folder of its own, with the outputs that the lesson shows."""
    client = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    (lesson,) = figures.lesson_files([number])
    content = json.dumps(notebooks.notebook(lesson, tmp_path))
    notebook = nbformat.reads(content, 4)
    with chdir(tmp_path):
        client.NotebookClient(notebook, timeout=300).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"][1:]
    for cell, (block, shown) in zip(cells, figures.blocks(read(lesson)), strict=True):
        printed = "".join(o.text for o in cell.outputs if o.get("name") == "stdout")
        assert same(shown.code if shown else "", printed, shown.note if shown else ""), block.first
        pictures = [output for output in cell.outputs if "image/png" in output.get("data", {})]
        assert len(pictures) == printed.count("shown in "), block.first
