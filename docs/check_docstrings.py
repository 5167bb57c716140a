"""Every public name has a docstring: python docs/check_docstrings.py [ROOT]

Public is what the reference pages show (`::: NAME`), with the members of the classes among it, and what `evonas`
exports. Code is read, not imported.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import griffe

SHOWN = re.compile(r"^::: ([\w.]+)\n( {4}options:\n {6}members: false$)?", re.MULTILINE)


def main(root: Path) -> int:
    """Print what is wrong, one line each; 1 where something is."""
    package = griffe.load("evonas", search_paths=[str(root)], allow_inspection=False, try_relative_path=False)
    assert isinstance(package, griffe.Module)
    pages = [page.read_text(encoding="utf-8") for page in sorted((root / "docs").rglob("*.md"))]
    shown = {name: not alone for page in pages for name, alone in SHOWN.findall(page)}
    problems = [*_undocumented(package, shown), *_unshown(package, shown)]
    for problem in problems:
        print(problem.removeprefix(f"{root}/"), file=sys.stderr)
    return int(bool(problems))


def _undocumented(package: griffe.Module, shown: Mapping[str, bool]) -> Iterator[str]:
    """shown: name -> whether with its members."""
    for name, whole in shown.items():
        try:
            found = _target(package[name.removeprefix("evonas.")])
        except KeyError:
            yield f"docs/reference: {name} is shown and does not exist"
            continue
        for part in (found, *(_members(found) if whole else ())):
            if not _documented(part):
                yield f"{part.filepath}:{part.lineno}: {part.path} has no docstring"


def _unshown(package: griffe.Module, shown: Mapping[str, bool]) -> Iterator[str]:
    known = {_target(package[name.removeprefix("evonas.")]).path for name in shown if _exists(package, name)}
    for name in package.exports or ():
        path = _home(package, str(name))
        if path not in known:
            yield f"{package.filepath}: {path} is exported and no reference page shows it"


def _home(package: griffe.Module, name: str) -> str:
    """Where an exported name is defined: `evonas` imports them for type checkers, and when they are used."""
    return _target(package[name]).path


def _exists(package: griffe.Module, name: str) -> bool:
    try:
        package[name.removeprefix("evonas.")]
    except KeyError:
        return False
    return True


def _target(found: griffe.Object | griffe.Alias) -> griffe.Object:
    return found.final_target if isinstance(found, griffe.Alias) else found


def _members(found: griffe.Object) -> Iterator[griffe.Object]:
    """Public methods and properties of a class, those of classes inside it too."""
    if not isinstance(found, griffe.Class):
        return
    for name, member in found.members.items():
        if isinstance(member, griffe.Alias) or name.startswith("_"):
            continue
        is_property = isinstance(member, griffe.Attribute) and "property" in member.labels
        if isinstance(member, griffe.Function | griffe.Class) or is_property:
            yield member
            yield from _members(member)


def _documented(part: griffe.Object) -> bool:
    """By a docstring of its own, or that of the method of a base class that it takes the place of."""
    if part.docstring and part.docstring.value.strip():
        return True
    owner = part.parent
    if not isinstance(owner, griffe.Class):
        return False
    bases = [base for base in owner.mro() if base.path.startswith("evonas.") and part.name in base.members]
    return any(base.members[part.name].docstring for base in bases)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1]).resolve()))
