"""An audit as a page that needs nothing else: HTML with a picture, or Markdown."""

import base64
import html
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pandas as pd

from evonas import atomic_files
from evonas.audit.audit import Audit
from evonas.audit.figures import SEARCH
from evonas.errors import UserError
from evonas.figures import as_matplotlib, search_and_test

SUFFIXES = (".html", ".md")
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{text-align:left;padding:.2rem 1rem .2rem 0}"
    "tr{border-bottom:1px solid #8884}img{max-width:100%;background:#fff}p:first-of-type{font-size:1.2em}"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def check_out(path: str) -> None:
    """
    Raises:
        UserError: no page has such a name.
    """
    if Path(path).suffix not in SUFFIXES:
        raise UserError(f"--out takes a file that ends in {' or '.join(SUFFIXES)}, not {path}")


def write(audit: Audit, out: str | Path) -> Path:
    """The page as a file.

    Args:
        audit: what was found.
        out: a file that ends in .html or .md.

    Raises:
        UserError: it cannot be written there.
    """
    check_out(str(out))
    text = as_markdown(audit) if Path(out).suffix == ".md" else as_html(audit)
    try:
        atomic_files.replace(Path(out), text.encode())
    except OSError as error:
        raise UserError(f"--out {out}: {error.strerror or error}") from None
    return Path(out)


def as_markdown(audit: Audit) -> str:
    """Verdict, sentences, what is missing, and the table."""
    table = audit.figures.table()
    head = "|".join(["", *table.columns, ""])
    rows = [head, "|".join(["", *("---" for _ in table), ""])]
    rows += ["|".join(["", *(str(cell).replace("|", "\\|") for cell in row), ""]) for row in table.itertuples(False)]
    missing = ["", "Missing:", "", *_items(audit.missing)] if audit.missing else []
    verdict, *others = audit.words
    return "\n".join([f"# {_title(audit)}", "", f"**{verdict}**", "", *_items(others), *missing, "", *rows, ""])


def as_html(audit: Audit) -> str:
    """The same, with a picture of networks that were trained to the end where there are some."""
    title, (verdict, *others) = html.escape(_title(audit)), audit.words
    missing = f"<h2>Missing</h2>{_list(audit.missing)}" if audit.missing else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
        f'content="{POLICY}"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body><h1>{title}</h1><p>{html.escape(verdict)}</p>{_list(others)}{missing}"
        f"{_picture(audit)}<h2>Figures</h2>{_table(audit.figures.table())}</body></html>\n"
    )


def _title(audit: Audit) -> str:
    return f"Was the search of {audit.sides[SEARCH].run.folder} worth it?"


def _items(texts: Sequence[str]) -> list[str]:
    return [f"- {text}" for text in texts]


def _list(texts: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(text)}</li>' for text in texts)}</ul>"


def _table(table: pd.DataFrame) -> str:
    head = "".join(f"<th>{name}</th>" for name in table)
    rows = ["".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) for row in table.itertuples(index=False)]
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"


def _picture(audit: Audit) -> str:
    try:
        picture = search_and_test({name: side.run for name, side in audit.sides.items() if len(side.finished)})
        image = BytesIO()
        as_matplotlib(picture).savefig(image, format="svg")
    except StopIteration:
        return ""
    except UserError as missing:  # matplotlib is not installed
        return f"<p>{html.escape(str(missing))}</p>"
    data = base64.b64encode(image.getvalue()).decode()
    return f'<p><img alt="{html.escape(repr(picture))}" src="data:image/svg+xml;base64,{data}"></p>'
