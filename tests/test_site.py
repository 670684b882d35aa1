"""The lessons as a site, as it is written: its links, formulas and names."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from test_lessons import RUN

for package in ("markdown_it", "mdit_py_plugins", "latex2mathml", "pygments"):
    pytest.importorskip(package, reason='the site needs pip install -e ".[lessons]"')

from lessons import build_site, page_of_lesson  # noqa: E402
from lessons.symbols import names_of, read  # noqa: E402

lessons = pytest.mark.parametrize("lesson", RUN, ids=lambda path: path.stem)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build_site.build(folder)
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
    for asset in (built / "page").glob("page.*"):
        assert not re.search(r"https?:|@import", read(asset)), asset.name


def test_without_strips_the_first_page_does_without_films(tmp_path):
    assert build_site.parts_of(page_of_lesson.Lesson("README.md"), tmp_path) == ""


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


def test_a_formula_leads_to_the_line_below_it(monkeypatch):
    """The rule, on a text of its own; all the code is a file of the repository."""
    line = 1 + read("tav/schedule.py").splitlines().index(
        "        return a.sqrt() * x0 + (1 - a).sqrt() * noise"
    )
    text = (
        "# A title\n\n`tav/schedule.py` has $a = 1$.\n\n$$x_t = y$$\n\n"
        "`a.sqrt() * x0 + (1 - a).sqrt() * noise`\n\n$$u = v$$\n\nNothing computes it.\n\n"
        "An equation, $q = r + s + t$, is computed by `own = q  +  r`.\n\n"
        "```python\nq = r = 1\nown = q + r\n```\n"
    )
    monkeypatch.setattr(page_of_lesson, "read", lambda file: text if file == "a.md" else read(file))
    html = page_of_lesson.Lesson("a.md").render()
    tied = re.findall(r'<a href="([^"]*)"[^>]* class="formula">', html)
    assert tied == [f"tav/schedule.py.html#L{line}", "#block1-L2"]
    displayed = re.findall(r"<span>(<math.*?</math>)<wbr>(<math.*?</math>)</span>", html)
    assert len(displayed) == 2 and html.count("<math") == 6  # broken before their relations


def test_a_name_is_linked_only_if_it_can_mean_one_thing(monkeypatch):
    text = "# A title\n\n`tav.load` and others\n\n```python\nsteps = 1\n```\n"
    monkeypatch.setattr(page_of_lesson, "read", lambda file: text if file == "a.md" else read(file))
    lesson = page_of_lesson.Lesson("a.md")
    assert lesson.symbol("Schedule.add_noise") == ("tav/schedule.py", "Schedule.add_noise")
    assert lesson.symbol("tav.load") == ("tav/io/weights.py", "load")
    assert lesson.symbol("tav.inflate") == ("tav/inflation.py", "inflate")
    assert lesson.symbol("forward") is lesson.symbol("steps") is None


def test_a_name_leads_to_its_file_where_imports_are_lazy_or_go_round():
    assert names_of("tav/__init__.py")["load"] == ("tav/io/weights.py", "load")
    # These two import from each other, one of them within a function.
    assert names_of("tav/io/cli.py")["clean_prompt"] == ("tav/io/vocabulary.py", "clean_prompt")
