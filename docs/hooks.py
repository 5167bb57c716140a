"""What mkdocs runs while it builds the site: documents from outside docs/, links between them, pages from the code.

A link in a document is relative to the document's place in the repository, so that it works in a plain checkout too.
Here a link to another document becomes one to its page, and a link to any other file takes a copy of it along.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import generate
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]

DOCUMENTS = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "cluster/README.md": "cluster.md",
    "benchmarks/RESULTS.md": "results.md",
}
"""Documents outside docs/ -> their pages."""
COPIES = "repository"
"""Folder of the site for files that documents link to and that are no documents."""
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
FENCE = re.compile(r"^( *)(```+|~~~+).*?^\1\2 *$", re.MULTILINE | re.DOTALL)
GENERATED = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents from outside docs/, and the files that any document links to."""
    for document, page in DOCUMENTS.items():
        files.append(File.generated(config, page, content=(ROOT / document).read_text(encoding="utf-8")))
    copies = {copy for page in files.documentation_pages() for copy in _copies(page.src_uri, page.content_string)}
    for copy in sorted(copies):
        files.append(File.generated(config, f"{COPIES}/{copy}", abs_src_path=str(ROOT / copy)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put in what is made from the code, and turn the links of the repository into those of the site."""
    source = page.file.src_uri
    markdown = GENERATED.sub(lambda match: generate.PAGES[match[1]](), markdown)
    return _outside_code(markdown, lambda text: LINK.sub(lambda match: _link(match, source), text))


def _copies(page: str, markdown: str) -> Iterator[str]:
    found: list[str] = []
    _outside_code(markdown, lambda text: found.extend(match[1] for match in LINK.finditer(text)) or text)
    for target in found:
        path = _path(page, target)
        if _page(path) is None and (ROOT / path).is_file():
            yield path


def _link(match: re.Match[str], source: str) -> str:
    """The link as the site has it; one that leads nowhere stays, and mkdocs complains of it."""
    path, anchor = _path(source, match[1]), match[2] or ""
    page = _page(path)
    if page is None and not (ROOT / path).is_file():
        return match[0]
    return posixpath.relpath(page or f"{COPIES}/{path}", posixpath.dirname(source) or ".") + anchor


def _path(page: str, target: str) -> str:
    """A link of a page as a path in the repository."""
    document = next((document for document, own in DOCUMENTS.items() if own == page), f"docs/{page}")
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), target))


def _page(path: str) -> str | None:
    """The file of the site that a file of the repository is, if it is one."""
    return DOCUMENTS.get(path) or (path.removeprefix("docs/") if path.startswith("docs/") else None)


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """The text with all changed that stands in no fenced block."""
    parts, end = [], 0
    for fence in FENCE.finditer(markdown):
        parts += [change(markdown[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, change(markdown[end:])])
