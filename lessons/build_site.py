"""Builds `site/`: every lesson as a page, and beside it the code that it quotes.

    python -m lessons.build_site            # writes site/; open site/index.html
    python -m lessons.build_site --serve    # and shows it at http://localhost:8000

The site mirrors the repository: `lessons/03-noise.md` becomes `lessons/03-noise.html`, and
`tav/schedule.py` becomes `tav/schedule.py.html`, a page that can be read by itself and that a
lesson shows in a frame on its right. Links lead to symbols (`tav/schedule.py.html#Schedule.target`)
or to lines (`#L85`), and work without JavaScript; `page/page.js` lets the right side follow the
text. What the lessons link to is built with them, and nothing else.

Needs `pip install -e ".[lessons]"`.
"""

import argparse
import functools
import http.server
import json
import posixpath
import re
import shutil
from html import escape
from pathlib import Path

from .blocks import STRIPS
from .page_of_code import ASSETS, Page, address, code_page, folder_page
from .page_of_lesson import Lesson
from .symbols import ROOT, read


def contents(page: Page, lessons: list[Lesson]) -> str:
    """The list of the lessons, each with the files that it quotes."""
    items = []
    for lesson in lessons:
        here = ' aria-current="page"' if lesson is page else ""
        files = dict.fromkeys(posixpath.basename(file) for file, _ in lesson.quoted)
        items.append(
            f'<li><a href="{page.url(lesson.file)}"{here}>{lesson.name()}</a>'
            f"<small>{' '.join(files)}</small></li>"
        )
    return f'<ol class="lessons">{"".join(items)}</ol>'


def lesson_page(lesson: Lesson, lessons: list[Lesson]) -> str:
    """A lesson among its contents, the lessons before and after it, and its code."""
    body, turns = lesson.render(), {"previous": "", "next": ""}
    body = re.sub(r"(<h1[^>]*>)(\d\d\w?) ", r'\1<span class="number">\2</span>', body, count=1)
    i = lessons.index(lesson) if lesson in lessons else None
    for way, step in (("previous", -1), ("next", 1)):
        if i is not None and 0 <= i + step < len(lessons):
            other = lessons[i + step]
            url = lesson.url(other.file)
            turns[way] = f'<a rel="{way[:4]}" href="{url}">{other.name()}</a>'
    shown = [*lesson.quoted, *((file, "") for file in lesson.files)][:1]
    code = lesson.fill("beside.html", first=lesson.url(*shown[0])) if shown else ""
    title, listed = escape(f"{lesson.number} {lesson.title}".strip()), contents(lesson, lessons)
    return lesson.fill("lesson.html", title=title, body=body, contents=listed, code=code, **turns)


def start_page(lessons: list[Lesson], strips: Path) -> tuple[Page, str]:
    """The first page: what this is, what it does, what one can try, and the contents."""
    readme = Lesson("README.md")  # whose links hold here, as it lies in the same folder
    body = readme.render().replace(' target="code"', "")  # there is no right side
    values = {
        name: re.search(rf"<!-- {name} -->\s*(<figure.*?</figure>)", body, re.DOTALL)[1]
        for name in ("run", "api")
    }
    values["sentence"] = re.search("<p>(.*?)</p>", body, re.DOTALL)[1]
    values |= {name: readme.url(f"lessons/figures/edits.{name}") for name in ("gif", "png")}
    values |= {"readme": readme.url("README.md"), "exercises": readme.url("lessons/exercises")}
    values["miniature"] = readme.url("weights/mini/README.md")
    values["parts"] = parts_of(readme, strips)
    return readme, readme.fill("start.html", contents=contents(readme, lessons), **values)


def parts_of(readme: Lesson, strips: Path) -> str:
    """The part of the first page where one chooses a prompt, and a part of the method to leave
    out: nothing where the folder of strips has none."""
    file = strips / "parts.json"
    if not file.exists():
        return ""
    listed = json.loads(read(file))
    clips, guidance = listed["clips"], [f"{g:g}" for g in listed["guidance"]]
    prompts = {
        f"{i} {j}": prompt
        for i, clip in enumerate(clips)
        for j, prompt in enumerate(clip["prompts"], 1)
    }
    first, films = clips[0], {"folder": "page/parts", "clips": clips}
    return readme.fill(
        "parts.html",
        folder="page/parts",
        source=first["file"],
        caption=escape(first["caption"]),
        edit=first["edits"][f"1 {next(iter(listed['leave_out']))} {guidance[0]}"],
        prompt=escape(first["prompts"][0]),
        prompts=radios("prompt", prompts),
        leave_out=radios("leave_out", listed["leave_out"]),
        guidance=radios("guidance", dict(zip(guidance, guidance))),
        films=json.dumps(films).replace("<", "\\u003c"),
    )


def radios(name: str, choices: dict[str, str]) -> str:
    """A radio button for each value, with its label; the first one is chosen."""
    buttons = []
    for value, label in choices.items():
        checked = "" if buttons else " checked"
        attributes = f'name="{name}" value="{escape(value)}" data-part="{escape(label)}"'
        buttons.append(f'<label><input type="radio" {attributes}{checked}> {escape(label)}</label>')
    return "".join(buttons)


def build(out: Path, strips: Path = STRIPS) -> list[str]:
    """Write the site into a folder, anew; the files of the repository that are in it."""
    if out.exists() and any(out.iterdir()) and not (out / "page" / "page.js").exists():
        raise SystemExit(f"error: {out} holds something else; name another folder with --out")
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(ASSETS, out / "page", ignore=shutil.ignore_patterns("*.html", STRIPS.name))
    if strips.exists():
        shutil.copytree(strips, out / "page" / "parts")
    files = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "lessons").glob("*.md"))
    lessons = {file: Lesson(file) for file in files}
    listed = list(lessons.values())
    start, html = start_page(listed, strips)
    (out / "index.html").write_text(html, encoding="utf-8")
    waiting, done = [*files, *start.links], set()
    while waiting:
        file = waiting.pop()
        if file in done:
            continue
        done.add(file)
        target = out / address(file)
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix != ".html":
            shutil.copyfile(ROOT / file, target)
            continue
        if file.endswith(".md"):
            page = lessons.get(file) or Lesson(file)
            html = lesson_page(page, listed)
        else:
            page = Page(file)
            html = folder_page(page) if (ROOT / file).is_dir() else code_page(page)
        target.write_text(html, encoding="utf-8")
        waiting += page.links
    return sorted(done)


def serve(folder: Path, port: int) -> http.server.ThreadingHTTPServer:
    """A server of a folder for this machine; `serve_forever` starts it."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    return http.server.ThreadingHTTPServer(("localhost", port), handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="where (default: site)")
    parser.add_argument("--serve", action="store_true", help="show it, until Ctrl-C")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    files = build(options.out)
    print(f"{len(files)} pages and pictures: {options.out / 'index.html'}")
    if options.serve:
        print(f"http://localhost:{options.port}")
        serve(options.out, options.port).serve_forever()


if __name__ == "__main__":
    main()
