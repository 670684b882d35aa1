"""Where the names of the repository's Python are defined, and where its code uses them."""

import ast
import functools
import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Place = tuple[str, str]  # a file, from the root, and a symbol in it, "" for the whole
Links = dict[tuple[int, int], Place]  # by line, from 1, and column

# What lessons speak of. Where a name is defined twice, the earlier group is meant.
GROUPS = (
    "tav/*.py",
    "tav/io/*.py",
    "*.py",
    "weights/benchmark/*.py",
    "weights/make/*.py",
    "weights/make/world/*.py",
    "lessons/[fm]*.py",
)
# Where a file is looked for that a text names without its folder.
FOLDERS = (
    "",
    "tav",
    "tav/io",
    "lessons",
    "lessons/exercises",
    "weights/mini",
    "weights/make",
    "weights/make/world",
    "weights/benchmark",
)


def read(file: str | Path) -> str:
    """The text of a file, named from the root."""
    return (ROOT / file).read_text(encoding="utf-8")


def find(name: str) -> str | None:
    """The file or folder that a text means by a name, from the root; None if there is none."""
    places = [posixpath.normpath(posixpath.join(folder, name)) for folder in FOLDERS]
    return next((place for place in places if (ROOT / place).exists()), None)


def slug(heading: str) -> str:
    """How GitHub names a heading in a link."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@functools.cache
def sources() -> list[list[str]]:
    """The Python files of each group."""
    return [[f.relative_to(ROOT).as_posix() for f in sorted(ROOT.glob(g))] for g in GROUPS]


@functools.cache
def definitions(file: str) -> dict[str, tuple[int, int]]:
    """The first and last line of each symbol: "Schedule", "Schedule.target", "POWERS"."""
    found: dict[str, tuple[int, int]] = {}

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            else:
                targets = getattr(node, "targets", [getattr(node, "target", None)])
                inside = [n for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)]
                names = [n.id for n in inside if isinstance(n.ctx, ast.Store)]
            for name in names:
                found.setdefault(prefix + name, (first, node.end_lineno))
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")

    visit(ast.parse(read(file)).body, "")
    return found


def module_file(module: str) -> str | None:
    """The file of a module of the repository: "tav.io" -> "tav/io/__init__.py"."""
    path = module.replace(".", "/")
    places = [f"{path}.py", f"{path}/__init__.py"]
    return next((place for place in places if module and (ROOT / place).is_file()), None)


def imported(tree: ast.AST, package: str = "") -> dict[str, Place]:
    """What the imports from this repository bind."""
    names: dict[str, Place] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                whole = alias.name if alias.asname else alias.name.split(".")[0]
                if file := module_file(whole):
                    names[alias.asname or whole] = (file, "")
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                if file := module_file(f"{module}.{alias.name}"):
                    names[alias.asname or alias.name] = (file, "")
                elif file := module_file(module):
                    # Its own names first: two files may import from each other.
                    defined = alias.name in definitions(file)
                    place = (file, alias.name) if defined else names_of(file).get(alias.name)
                    if place:
                        names[alias.asname or alias.name] = place
    return names


@functools.cache
def names_of(file: str) -> dict[str, Place]:
    """Each name of a module that this repository defines, there or in what it imports."""
    tree, package = ast.parse(read(file)), posixpath.dirname(file).replace("/", ".")
    own = {symbol: (file, symbol) for symbol in definitions(file) if "." not in symbol}
    return imported(tree, package) | offered(tree, package) | own


def offered(tree: ast.Module, package: str) -> dict[str, Place]:
    """What a package imports when it is first used: its table WHERE has the modules by name."""
    table: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AugAssign):
            target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
            if ast.unparse(target) == "WHERE":
                table |= ast.literal_eval(node.value)
    return {name: (module_file(package + module), name) for name, module in table.items()}


def code_links(code: str, names: dict[str, Place], file: str = "", owner: str = "") -> Links:
    """Where a piece of Python has one of these names, or `self.method` of the class `owner`.

    A name that the function around it binds is the function's own, and leads nowhere.
    """
    lines, links = code.splitlines(), {}

    def put(line: int, column: int, place: Place | None) -> None:
        if place:
            links[line, len(lines[line - 1].encode()[:column].decode())] = place

    def visit(node: ast.AST, bound: frozenset[str], owner: str) -> None:
        if isinstance(node, ast.ClassDef):
            owner = node.name
        elif isinstance(node, ast.FunctionDef | ast.Lambda):
            for inner in ast.walk(node):
                if isinstance(inner, ast.arg):
                    bound |= {inner.arg}
                elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                    bound |= {inner.id}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id not in bound:
                put(node.lineno, node.col_offset, names.get(node.id))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            column = node.end_col_offset - len(node.attr.encode())
            module, symbol = names.get(node.value.id, ("", "none"))
            if node.value.id == "self":
                method = f"{owner}.{node.attr}"
                put(node.end_lineno, column, (file, method) if method in known else None)
            elif not symbol and node.value.id not in bound:
                put(node.end_lineno, column, names_of(module).get(node.attr))
        elif isinstance(node, ast.alias):
            put(node.lineno, node.col_offset, names.get(node.asname or node.name))
        for child in ast.iter_child_nodes(node):
            visit(child, bound, owner)

    known = definitions(file) if file else {}
    visit(ast.parse(code), frozenset(), owner)
    return links


def lines_with(piece: str, text: str, first: int = 1, last: int | None = None) -> str:
    """Where some lines of a text have a piece of code, whatever its spaces: "L5", "L5-7" or ""."""
    lines = [" ".join(line.split()) for line in text.splitlines()[:last]]
    piece = " ".join(piece.split())
    for i in range(first - 1, len(lines)):
        for n in range(1, 6):
            if -1 < " ".join(lines[i : i + n]).find(piece) <= len(lines[i]):
                return f"L{i + 1}" + (f"-{i + n}" if n > 1 else "")
    return ""
