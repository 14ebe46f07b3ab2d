"""Write a module, with all that it uses of this package, as a single file that runs alone."""

import ast
import re
import sys
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from importlib.util import find_spec
from pathlib import Path

# A module and a name in it.
_Name = tuple[str, str]

_OWN = "frostline"
# Remarks for the tools that check this package.
_FOR_TOOLS = re.compile(r"\s*#\s*(noqa|type: ignore|fmt:)[^\n]*")


class NotPortableError(Exception):
    """A module that cannot be written as a single file."""


@dataclass(frozen=True)
class _Source:
    """A module's text, taken apart.

    Attributes:
        lines: The text.
        nodes: Functions, classes and constants, by name.
        own: Names imported from this package: to the module and the name there.
        others: Names imported from elsewhere: to (MODULE, NAME), or ("", the whole statement).
    """

    lines: list[str]
    nodes: dict[str, ast.stmt] = field(default_factory=dict)
    own: dict[str, tuple[str, str]] = field(default_factory=dict)
    others: dict[str, tuple[str, str]] = field(default_factory=dict)


def write_single_file(module: str, entry: str, about: str) -> str:
    """Gather a module's public functions and whatever they use into one text of Python.

    Args:
        module: The module's name.
        entry: Its function that runs the script and returns its exit code.
        about: The docstring of the script.

    Raises:
        NotPortableError: If two things have one name, or a function imports from this package
            within its body.
    """
    uses: dict[_Name, set[_Name]] = {}
    imports: set[tuple[str, str]] = {("", "import sys")}
    for name in _read(module).nodes:
        if not name.startswith("_"):
            _collect((module, name), uses, imports)
    owners: dict[str, str] = {}
    for owner, name in uses:
        if owners.setdefault(name, owner) != owner:
            raise NotPortableError(f"{name} is in {owner} and in {owners[name]}")
    chunks = [
        _text(_read(owner), node)
        for owner in _in_order(uses)
        for name, node in _read(owner).nodes.items()
        if (owner, name) in uses
    ]
    main = f'if __name__ == "__main__":\n    sys.exit({entry}())'
    head = f'"""{about.strip()}\n"""\n\nfrom __future__ import annotations\n\n{_grouped(imports)}'
    text = _FOR_TOOLS.sub("", "\n\n\n".join([head, *chunks, main])) + "\n"
    _check(text)
    return text


def _collect(name: _Name, uses: dict[_Name, set[_Name]], imports: set[tuple[str, str]]) -> None:
    """Add a name and, in turn, all names that it uses."""
    if name in uses:
        return
    uses[name] = set()
    module, own_name = name
    source = _read(module)
    for node in ast.walk(source.nodes[own_name]):
        if not isinstance(node, ast.Name):
            continue
        if node.id in source.others:
            imports.add(source.others[node.id])
        elif node.id in source.own or node.id in source.nodes:
            other = source.own.get(node.id, (module, node.id))
            uses[name].add(other)
            _collect(other, uses, imports)


def _in_order(uses: dict[_Name, set[_Name]]) -> list[str]:
    """The modules, each after those that it uses."""
    graph: dict[str, set[str]] = {module: set() for module, _ in uses}
    for (module, _), others in uses.items():
        graph[module] |= {other for other, _ in others} - {module}
    return list(TopologicalSorter(graph).static_order())


def _grouped(imports: set[tuple[str, str]]) -> str:
    """Import statements: the standard library's first, one statement for each module."""
    plain = [line for origin, line in imports if not origin]
    named: dict[str, list[str]] = {}
    for origin, name in imports:
        if origin:
            named.setdefault(origin, []).append(name)
    lines = sorted(plain) + [
        f"from {origin} import {', '.join(sorted(names))}"
        for origin, names in sorted(named.items())
    ]
    ours = [line for line in lines if _is_standard(line)]
    return "\n".join([*ours, "", *(line for line in lines if line not in ours)])


def _is_standard(line: str) -> bool:
    return line.split()[1].partition(".")[0] in sys.stdlib_module_names


@cache
def _read(module: str) -> _Source:
    found = find_spec(module)
    assert found is not None and found.origin is not None, module
    text = Path(found.origin).read_text(encoding="utf-8")
    source = _Source(text.splitlines())
    for node in ast.parse(text).body:
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                source.nodes[node.name] = node
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                source.nodes[name] = node
            case ast.ImportFrom(module=str(origin)) if origin.split(".")[0] == _OWN:
                for alias in node.names:
                    source.own[alias.asname or alias.name] = (origin, alias.name)
            case ast.ImportFrom(module=origin):
                for alias in node.names:
                    name = alias.asname or alias.name
                    source.others[name] = (str(origin), ast.unparse(alias))
            case ast.Import():
                for alias in node.names:
                    bound = alias.asname or alias.name.partition(".")[0]
                    source.others[bound] = ("", f"import {ast.unparse(alias)}")
    return source


def _text(source: _Source, node: ast.stmt) -> str:
    """The lines of a definition, with its decorators and the comment above it."""
    decorators = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    while first > 1 and source.lines[first - 2].startswith("#"):
        first -= 1
    return "\n".join(source.lines[first - 1 : node.end_lineno])


def _check(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        origin = getattr(node, "module", None) if isinstance(node, ast.ImportFrom) else None
        if origin is not None and origin.split(".")[0] == _OWN:
            raise NotPortableError(f"it would still import {origin}")
