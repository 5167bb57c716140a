"""The parts of the reference that are made from the code when the site is built: commands, config, columns, metrics,
registries. A page asks for one with a line `<!-- generated: NAME -->`.
"""

import argparse
import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from evonas.commands import COMMANDS
from evonas.commands.schema import schema
from evonas.exporters import Exporter
from evonas.objectives.metrics import METRICS
from evonas.store.columns import (
    BEFORE,
    CONDITIONS,
    EXPECTED,
    FIXED,
    PER_METRIC,
    PER_TARGET,
    POPULATION,
    WITH_INHERITED_WEIGHTS,
    Column,
    described,
)
from evonas.tasks.metrics import CLASSIFICATION_METRICS, REGRESSION_METRICS, TaskMetric, mean

REGISTRIES = {
    "Spaces": ("evonas.spaces", "SPACES", "space.kind"),
    "Tasks": ("evonas.tasks", "TASKS", "task.kind"),
    "Strategies": ("evonas.strategies", "STRATEGIES", "strategy.kind"),
    "Orders": ("evonas.driver.visibility", "ORDERS", "schedule.mode"),
    "Learners": ("evonas.evaluation.learners", "LEARNERS", "learner.kind"),
    "Backends": ("evonas.measuring.backends.backend", "BACKENDS", "targets.NAME.backend"),
    "Runtimes": ("evonas.runtime", "RUNTIMES", "runtime.kind"),
    "Trackers": ("evonas.tracking.dispatcher", "TRACKERS", "tracking"),
    "Exporters": ("evonas.exporters", "EXPORTERS", "--format or the suffix of --out"),
}
"""Title -> module, name and config key of each dict that parts are registered in."""
SECTIONS_OF_KINDS = {"space": "Spaces", "task": "Tasks", "strategy": "Strategies", "learner": "Learners"}


def commands() -> str:
    """Each command with its arguments."""
    return "\n\n".join(_command(name, text) for name, text in COMMANDS.items())


def _command(name: str, text: str) -> str:
    parser = argparse.ArgumentParser(prog=f"evonas {name}", formatter_class=_Wide, allow_abbrev=False)
    import_module(f"evonas.commands.{name.replace('-', '_')}").add_arguments(parser)
    usage = parser.format_usage().removeprefix("usage: ").strip()
    rows = [(_argument(action), _help(action)) for action in parser._actions if action.dest != "help"]
    table = [table_of(("argument", "meaning"), rows)] if rows else []
    return "\n\n".join([f"## evonas {name}", f"{sentence(text)}", f"```text\n{usage}\n```", *table])


class _Wide(argparse.HelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=110)


def _argument(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices:
        value = "|".join(map(str, action.choices))
    if not action.option_strings:
        return f"`{value}`"
    takes = "" if action.nargs == 0 else f" {value}"
    return ", ".join(f"`{option}{takes}`" for option in action.option_strings)


def _help(action: argparse.Action) -> str:
    repeated = " (may be given several times)" if isinstance(action, argparse._AppendAction) else ""
    return f"{action.help or ''}{repeated}"


def config() -> str:
    """Every section and key of a config, from the schema that `evonas schema` prints."""
    whole = schema()
    definitions = whole["$defs"]
    top = table_of(("key", "type", "default", "meaning"), _keys(whole, definitions))
    sections = [_section(key, value, definitions) for key, value in whole["properties"].items()]
    return "\n\n".join([top, *(section for section in sections if section)])


def _section(key: str, value: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if key in SECTIONS_OF_KINDS:
        module, registry, _ = REGISTRIES[SECTIONS_OF_KINDS[key]]
        parts = getattr(import_module(module), registry)
        kinds = [kind for kind in value["anyOf"] if "const" in kind["properties"]["kind"]]
        return "\n\n".join([f"## {key}", *(_kind(key, kind, parts, definitions) for kind in kinds)])
    model = _model(value, definitions)
    if model is None:
        return ""
    return "\n\n".join([f"## {key}", *_described(model, definitions), *_below(key, model, definitions)])


def _below(key: str, model: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    """The sections inside of a section."""
    for name, value in model["properties"].items():
        inner = _model(value, definitions)
        if inner is not None:
            yield "\n\n".join([f"### {key}.{name}", *_described(inner, definitions)])


def _described(model: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    if text := model.get("description"):
        yield " ".join(text.split())
    yield table_of(("key", "type", "default", "meaning"), _keys(model, definitions))


def _kind(section: str, kind: Mapping[str, Any], parts: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    name = kind["properties"]["kind"]["const"]
    options = {**kind, "properties": {key: value for key, value in kind["properties"].items() if key != "kind"}}
    rows = list(_keys(options, definitions))
    table = [table_of(("key", "type", "default", "meaning"), rows)] if rows else []
    more = f"More: {_link(parts[name])}." if _is_ours(parts[name]) else ""
    return "\n\n".join([f"### {section}.kind: {name}", f"{sentence(kind['description'])} {more}".strip(), *table])


def _keys(model: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    required = model.get("required", [])
    for key, value in model["properties"].items():
        section = _model(value, definitions) is not None or ("anyOf" in value and "properties" in value["anyOf"][0])
        default = "required" if key in required else "" if section else f"`{json.dumps(value.get('default'))}`"
        yield f"`{key}`", _type(value, definitions), default, value.get("description", "a section" if section else "")


def _model(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The model of a section, of a list of sections or of sections by name; None for a plain value."""
    for inner in (value, value.get("items", {}), value.get("additionalProperties", {})):
        if isinstance(inner, Mapping) and "$ref" in inner:
            found = definitions[inner["$ref"].rpartition("/")[2]]
            return found if "properties" in found else None
    return None


def _type(value: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "enum" in value:
        return " or ".join(f"`{choice}`" for choice in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "anyOf" in value:
        kinds = [_type(one, definitions) for one in value["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in value:
        found = definitions[value["$ref"].rpartition("/")[2]]
        return "section" if "properties" in found else _type(found, definitions)
    if value.get("type") == "array":
        inner = _type(value.get("items", {}), definitions) or "values"
        return "list of sections" if inner == "section" else f"list of {inner}"
    if value.get("type") == "object":
        return "section" if "properties" in value else "sections by name"
    return f"{value.get('type', '')}{_range(value)}"


def _range(value: Mapping[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {value[name]:g}" for name, sign in signs.items() if name in value]
    return f" {', '.join(bounds)}" if bounds else ""


def columns() -> str:
    """Every column of a run's tables, with unit and meaning."""
    parts = (
        ("evaluations: of every candidate", FIXED),
        ("evaluations: of every metric", PER_METRIC),
        ("evaluations: of every target T", {f"{name}[T]": column for name, column in PER_TARGET.items()}),
        (
            "evaluations: of a search with rung 0",
            {**BEFORE, "before.COLUMN": EXPECTED, "inherited.METRIC": WITH_INHERITED_WEIGHTS},
        ),
        ("populations", POPULATION),
    )
    conditions = table_of(("name", "meaning"), ((f"`{name}`", meaning) for name, meaning in CONDITIONS.items()))
    tables = [f"## {title}\n\n{_columns(found)}" for title, found in parts]
    return "\n\n".join([*tables, f"## evaluations: in `conditions`\n\n{conditions}"])


def _columns(found: Mapping[str, Column]) -> str:
    return table_of(
        ("column", "unit", "meaning"), ((f"`{name}`", column.unit, column.meaning) for name, column in found.items())
    )


def metrics() -> str:
    """Every metric that a config can name, besides those of the task."""
    rows = []
    for name, metric in METRICS.items():
        meaning = described(f"{name}[T]" if metric.per_target else name).meaning
        rows.append((f"`{name}`", metric.unit, f"{metric.direction}d", metric.stage, meaning))
    own = {
        "classification": {name: make(2) for name, make in CLASSIFICATION_METRICS.items()},
        "regression": REGRESSION_METRICS,
    }
    return "\n\n".join(
        [
            "## With every task",
            table_of(("metric", "unit", "as an objective", "known", "meaning"), rows),
            *(f"## Of a {kind}\n\n{_task_metrics(found)}" for kind, found in own.items()),
        ]
    )


def _task_metrics(found: Mapping[str, TaskMetric]) -> str:
    rows = []
    for name, metric in found.items():
        says = metric.statistics if metric.reduce is mean else getattr(metric.reduce, "func", metric.reduce)
        rows.append((f"`{name}`", f"{metric.direction}d", sentence(first_line(says))))
    return table_of(("metric", "as an objective", "meaning"), rows)


def registries() -> str:
    """Every registered part by name, with the first line of its docstring."""
    return "\n\n".join(_registry(title, *where) for title, where in REGISTRIES.items())


def _registry(title: str, module: str, name: str, key: str) -> str:
    parts: Mapping[str, Any] = getattr(import_module(module), name)
    rows = [(f"`{kind}`", sentence(first_line(part)), _link(part)) for kind, part in parts.items()]
    return "\n\n".join(
        [f"## {title}", f"`{module}.{name}`, chosen by `{key}`.", table_of(("name", "what", "where"), rows)]
    )


def first_line(part: Any) -> str:
    """The first sentence of what a registered part says of itself."""
    part = _resolved(part)
    text = inspect.cleandoc(part.__doc__ or import_module(part.__module__).__doc__ or "")
    return " ".join(text.partition("\n\n")[0].split())


def _link(part: Any) -> str:
    part = _resolved(part)
    name = part.__name__ if inspect.ismodule(part) else f"{part.__module__}.{part.__qualname__}"
    return f"[`{name}`][{name}]" if name in shown() else f"`{name}`"


@cache
def shown() -> frozenset[str]:
    """The names that some page of the reference shows, which can be linked to."""
    pages = sorted((Path(__file__).parent / "reference").glob("*.md"))
    return frozenset(name for page in pages for name in re.findall(r"^::: ([\w.]+)", page.read_text(), re.MULTILINE))


def _is_ours(part: Any) -> bool:
    return bool(_resolved(part).__module__.startswith("evonas."))


def _resolved(part: Any) -> Any:
    """A part that is imported when it is used, imported; of an exporter, which is a record, its module."""
    if isinstance(part, Exporter):
        return import_module(part.write.__module__)
    if hasattr(part, "module") and hasattr(part, "name"):  # an entry of TRACKERS
        return _read(part.module, part.name)
    late = inspect.getclosurevars(part).nonlocals if inspect.isfunction(part) else {}
    if {"module", "name"} <= set(late):  # an entry of BACKENDS
        return getattr(import_module(f"{part.__module__.rpartition('.')[0]}.{late['module']}"), late["name"])
    return part


def _read(module: str, name: str) -> Any:
    """What is said of a class whose module is not imported, for that imports a large library."""
    found = find_spec(module)
    assert found
    assert found.origin
    parsed = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    [part] = (each for each in parsed.body if isinstance(each, ast.ClassDef) and each.name == name)
    said = ast.get_docstring(part) or ast.get_docstring(parsed)
    return SimpleNamespace(__doc__=said, __module__=module, __qualname__=name)


def table_of(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; what is in its cells stays on one line."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    text = " ".join(text.split())
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', ':', '?')) else '.'}" if text else ""


PAGES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "config": config,
    "columns": columns,
    "metrics": metrics,
    "registries": registries,
}
"""By the name in `<!-- generated: NAME -->`."""
