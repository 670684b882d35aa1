"""The lessons as a site, as it is seen: its pages in a headless Chromium.

Without Chromium (Debian: `apt-get install chromium`) all of this is skipped.
"""

import ast
import json
import threading
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urldefrag, urljoin, urlsplit

import pytest
import torch
from browser import CHROMIUM, Browser
from test_lessons import RUN

for package in ("markdown_it", "mdit_py_plugins", "latex2mathml", "pygments"):
    pytest.importorskip(package, reason='the site needs pip install -e ".[lessons]"')

from lessons import build_site, parts  # noqa: E402
from lessons.blocks import quotes, source  # noqa: E402
from lessons.symbols import read  # noqa: E402

pytestmark = pytest.mark.slow
lessons = pytest.mark.parametrize("lesson", RUN, ids=lambda path: path.stem)


PROMPTS = ["a woman is skiing", "a panda is skiing", "a rabbit is skiing", "a man is skiing"]


@pytest.fixture(scope="module")
def strips(tmp_path_factory) -> Path:
    """What `lessons.parts` makes, but an edit takes no time: one grey, with a bar that grows."""
    assert parts.LEAVE_OUT.keys() <= parts.ROWS.keys()
    folder, greys = tmp_path_factory.mktemp("parts"), torch.linspace(-1, 1, 100).tolist()

    def video() -> torch.Tensor:
        frames = torch.full((8, 3, 32, 32), greys.pop())
        for i, frame in enumerate(frames):
            frame[0, :, : 4 * i] = 1
        return frames

    def job(model, clip, settings, edits) -> SimpleNamespace:
        return SimpleNamespace(frames=video(), settings=settings, edits=edits)

    row = SimpleNamespace(edit=lambda job: {prompt: video() for prompt in job.edits})
    recipe = {"steps": 2, "lr": 0.1, "guidance": 3.0, "prompts": PROMPTS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "STRIPS", folder)
        patch.setattr(parts, "load", lambda _: SimpleNamespace(recipe=lambda _: recipe))
        patch.setattr(parts, "Job", job)
        patch.setattr(parts, "ROWS", dict.fromkeys(parts.LEAVE_OUT, row))
        parts.make()
        assert parts.picture().width <= 1100
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory, strips) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build_site.build(folder, strips)
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def address(built) -> str:
    server = build_site.serve(built, 0)
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


def test_every_page_loads_without_complaint(browser, address, built):
    browser.window(*WIDE)
    for file in sorted(built.rglob("*.html")):
        browser.open(urljoin(address, file.relative_to(built).as_posix()))
        assert not browser.errors, file.relative_to(built)
        elsewhere = [url for url in browser.requests if not url.startswith((address, "data:"))]
        assert not elsewhere, file.relative_to(built)


@lessons
def test_the_right_side_follows_the_text(lesson, browser, address, tmp_path):
    """At each quotation its file is shown, and the symbol is lit: what is quoted, to the letter."""
    browser.window(*WIDE)
    browser.open(f"{address}lessons/{lesson.stem}.html")
    browser.run("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    for i, (fence, file, symbol) in enumerate(quotes(read(lesson))):
        quote = f"document.querySelectorAll('figure.quote')[{i}]"
        browser.run(
            f"scrollBy({{top: {quote}.getBoundingClientRect().top - innerHeight * 0.59, "
            "behavior: 'instant'})"
        )
        lit = shown(browser, file, symbol)
        copy = tmp_path / f"lit{i}.py"
        copy.write_text(dedented(lit), encoding="utf-8")
        assert source(str(copy), symbol.split(".")[-1]) == fence.code, f"{file} {symbol}"
        (node,) = ast.parse(dedented(lit)).body
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        assert (first, node.end_lineno) == (1, lit.count("\n")), "more is lit than is quoted"
        assert lit in read(file) + "\n"
        assert browser.run(f"{quote}.querySelector('pre').textContent") == fence.code


def dedented(code: str) -> str:
    lines = code.splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    return "\n".join(line[indent:] for line in lines) + "\n"


# ---- the first page: what each part does

EDIT = "document.querySelector('#edit').src.split('/').pop()"
FILMS = "[...document.querySelectorAll('.film img')]"
PLACES = f"""{FILMS}.map((film) => {{
    const [frame, strip] = [film.parentElement, film].map((e) => e.getBoundingClientRect());
    return (frame.left - strip.left) / frame.width;
}})"""  # which frame of its eight each film shows
WHOLE = "skier-1-tune-a-video-3.webp"


def choose(browser, name: str, i: int) -> None:
    browser.run(f"document.querySelectorAll('[name={name}]')[{i}].closest('label').click()")


@pytest.mark.parametrize("window", [WIDE, PHONE])
def test_what_is_chosen_is_shown(browser, address, window):
    browser.window(*window)
    browser.open(address)
    assert browser.run(EDIT) == WHOLE
    assert browser.run("document.documentElement.scrollWidth <= innerWidth"), "it is too wide"
    choose(browser, "prompt", 1)
    assert browser.until(f"{EDIT} === 'skier-2-tune-a-video-3.webp'")
    choose(browser, "leave_out", 2)
    choose(browser, "guidance", 1)
    assert browser.until(f"{EDIT} === 'skier-2-no-sc-4.5.webp'")
    said = "document.querySelector('#said').textContent"
    assert browser.run(said) == f"{PROMPTS[1]}, without SC-Attn"
    choose(browser, "prompt", 4)  # the other clip's
    assert browser.until(f"{EDIT} === 'panda-1-no-sc-4.5.webp'")
    assert browser.run("document.querySelector('#source').src").endswith("/panda.webp")
    assert "a panda is surfing" in browser.run("document.querySelector('#captioned').textContent")
    assert not browser.errors


def test_a_part_is_chosen_by_keyboard(browser, address):
    browser.window(*PHONE)
    browser.open(address)
    browser.run("document.querySelector('[name=prompt]').focus()")
    browser.key("Tab")
    browser.key("ArrowDown")
    assert browser.until(f"{EDIT} === 'skier-1-untuned-3.webp'")
    browser.key("Tab")
    browser.key("ArrowDown")
    assert browser.until(f"{EDIT} === 'skier-1-untuned-4.5.webp'")


def test_clip_and_edit_stay_in_step(browser, address):
    """Also when another one is chosen; both show one whole frame of their eight at a time."""
    browser.window(*PHONE)
    browser.open(address)
    began = f"{FILMS}.map((film) => film.getAnimations()[0].startTime)"
    assert browser.until(f"{began}.every(Boolean)")
    choose(browser, "leave_out", 3)
    assert browser.until(f"{EDIT} === 'skier-1-no-temp-3.webp'")
    first, second = browser.run(began)
    assert first == second
    for i in range(8):
        browser.run(f"{FILMS}.forEach((film) => (film.getAnimations()[0].currentTime = {i * 250}))")
        assert browser.run(PLACES) == pytest.approx([i, i], abs=0.01)


def test_without_javascript_the_whole_method_is_shown(browser, address):
    browser.window(*PHONE)
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(address)
        assert browser.run(EDIT) == WHOLE
        assert browser.run(f"{FILMS}.every((film) => film.naturalWidth === 256)")
        assert browser.run(f"{FILMS}.every((film) => film.getAnimations().length)")
        assert browser.run("getComputedStyle(document.querySelector('.parts form')).display") == (
            "none"
        )
        assert browser.run("document.querySelector('#said').textContent") == PROMPTS[0]
    finally:
        browser.send("Emulation.setScriptExecutionDisabled", value=False)


# ---- a lesson


@pytest.fixture
def lesson_with_formulas(browser, address, built) -> str:
    """A lesson that quotes code, and has formulas tied to code on the right."""
    wanted = ('class="listing quote"', 'target="code" class="formula"')
    pages = sorted(built.glob("lessons/*.html"))
    page = next(page for page in pages if all(part in read(page) for part in wanted))
    return f"{address}lessons/{page.name}"


def test_pointing_at_a_formula_lights_its_line(browser, lesson_with_formulas):
    browser.window(*WIDE)
    browser.open(lesson_with_formulas)
    formula = "document.querySelector('a.formula[target=code]')"
    browser.run(f"{formula}.dispatchEvent(new Event('pointerenter'))")
    path, lines = browser.run(f"{formula}.getAttribute('href')").removeprefix("../").split("#L")
    first, _, last = lines.partition("-")
    code = read(path.removesuffix(".html")).splitlines(keepends=True)
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


def test_nothing_is_wider_than_a_phone(browser, address, built):
    """But code and tables, which scroll by themselves. A formula is broken before relations."""
    browser.window(360, 640)
    lessons = sorted(path.relative_to(built) for path in built.glob("lessons/*.html"))
    for page in ("index.html", "tav/unet.py.html", *lessons):
        browser.open(f"{address}{page}")
        browser.run("document.querySelectorAll('article details').forEach((d) => (d.open = true))")
        assert browser.run("document.documentElement.scrollWidth") == 360, page
        formulas = "[...document.querySelectorAll('.wide:has(> span, > .formula)')]"
        cut = f"{formulas}.filter((f) => f.scrollWidth > f.clientWidth).map((f) => f.textContent)"
        assert not browser.run(cut), page


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
