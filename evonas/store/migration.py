"""Records of the schemas before this one (versions 3 to 5), in the words of this one. Files are never rewritten: a run
that goes on has older generations in the older schema, and each file is read by its own.

Version 5 had no cost of a candidate, version 4 no scores of the examples besides; version 3 had other words, too.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from evonas.config.sections import EARLIER_STRATEGIES

EARLIER = (3, 4, 5)
OLDEST = 3
_LATER_COLUMNS: Mapping[str, Any] = {"scores": {}, "usd": None}
"""Columns of evaluations that came with versions 5 and 6, with what they hold in rows of before."""
_POPULATION_BEFORE = 24
"""That of NSGA-II where a config said none."""
_COLUMNS = {"born_after": "visible", "images_per_s": "examples_per_s", "measured_again": "remeasured"}
_ENTRIES = {"born": "candidate", "reached": "report", "decided": "evaluation"}
_UNPOPULATED = {"random"}
"""Strategies that were given a population and had none: it was the size of a generation."""
_OPERATORS = {"founder": "random"}
_CONFIG = {
    "training": {"keep": "promote"},
    "runtime": {"away_minutes": "unavailable_minutes"},
}
_NEW_KEYS: Mapping[str, Any] = {"record": [], "learner": {"kind": "scratch"}}
"""Keys of a config that version 3 did not have, with what they mean then."""
_LATER_KEYS: Mapping[str, Any] = {"founders": []}
_LATER_TARGET_KEYS: Mapping[str, Any] = {"includes": "network", "screen": 1.0}
_LATER_SCHEDULE_KEYS: Mapping[str, Any] = {"grows": False}
_LATER_BEFORE_KEYS: Mapping[str, Any] = {"costs": "logarithm"}
"""Keys of a config, its targets, its schedule and its rung 0 that came into this version later, with what they meant
before."""


def is_earlier(schema: pa.Schema) -> bool:
    """Whether a table was written in a schema before this one."""
    return _version(schema) in {str(version).encode() for version in EARLIER}


def _version(schema: pa.Schema) -> bytes:
    version: bytes = (schema.metadata or {}).get(b"evonas_schema", b"")
    return version


def migrate_description(description: Mapping[str, Any]) -> dict[str, Any]:
    """A run.json of version 3; that of version 4 is as it is."""
    return {
        **description,
        "task": _task(description["task"]),
        "evaluator": None,  # nobody knows
        "config": {**_NEW_KEYS, **migrate_config(description["config"])},
        "metrics": [_column(name) for name in description["metrics"]],
        "objectives": [{**o, "column": _column(o["column"])} for o in description["objectives"]],
    }


def with_later_keys(description: Mapping[str, Any]) -> dict[str, Any]:
    """A run.json with the keys that came into its schema later, as they were meant then."""
    config = {**_LATER_KEYS, **description["config"]}
    config["targets"] = {name: {**_LATER_TARGET_KEYS, **target} for name, target in config["targets"].items()}
    if "grows" not in config["schedule"]:
        config["schedule"] = {**_LATER_SCHEDULE_KEYS, **config["schedule"]}
        config["strategy"] = {**strategy_before(config["strategy"]), **config["strategy"]}
    if before := config["training"].get("before"):
        config["training"] = {**config["training"], "before": {**_LATER_BEFORE_KEYS, **before}}
    kind = config["strategy"]["kind"]
    config["strategy"] = {**config["strategy"], "kind": EARLIER_STRATEGIES.get(kind, kind)}
    return {**description, "config": config}


def strategy_before(section: Mapping[str, Any]) -> dict[str, Any]:
    """Options by which a strategy does what it did by default before windows grew.

    Args:
        section: a config's, with the strategy's kind.

    Returns:
        They; none of a kind that has changed nothing.
    """
    if section.get("kind") != "nsga2":
        return {}
    initial = (section.get("population", _POPULATION_BEFORE) + 1) // 2
    return {"parents": "population", "initial": initial, "spread": 1, "crossover": 0.9}


def _task(task: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": task["name"],
        "input": {"shape": task["input_shape"], "dtype": "float32", "high": None},
        "output_shape": [task["outputs"]],
        "metrics": {task["metric"]: task["direction"]},
    }


def migrate_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """A config, or some of its sections."""
    result = {name: _renamed(section, _CONFIG.get(name, {})) for name, section in config.items()}
    if "targets" in config:
        again = {"again": "max_remeasurements"}
        result["targets"] = {name: _renamed(target, again) for name, target in config["targets"].items()}
    if "strategy" in config:
        result["strategy"], generation = _strategy(config["strategy"])
        result["schedule"] = {**result["schedule"], "generation": generation}
    for section in ("objectives", "limits"):
        if section in config:
            result[section] = [{**part, "metric": _column(part["metric"])} for part in config[section]]
    return result


def migrate_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry of the journal; one of this schema is returned as it is."""
    kind = _ENTRIES.get(str(entry.get("kind")), entry.get("kind"))
    found = migrate_row(entry) if entry.get("kind") in _ENTRIES else dict(entry)
    return {**(_LATER_COLUMNS if kind == "evaluation" else {}), **found, "kind": kind}


def migrate_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `evaluations`, or a part of one: of the journal, of a measurement after the search."""
    result = {_column(name): value for name, value in row.items()}
    if "operator" in row:
        result["operator"] = _OPERATORS.get(row["operator"], row["operator"])
        result["predicted"] = {}
    if "metrics" in row:
        result["metrics"] = {_column(name): value for name, value in row["metrics"].items()}
    if "rungs" in row:
        result["rungs"] = [migrate_row(rung) for rung in row["rungs"]]
    if "conditions" in row:
        conditions = row["conditions"].items()
        result["conditions"] = {_target_renamed(name, {"beside": "against"}): text for name, text in conditions}
    return result


def migrate_table(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """
    Raises:
        ValueError: its columns are not those of the schema that it was written in.
    """
    if _version(table.schema) != str(OLDEST).encode():
        return _with_later_columns(table, schema)
    rows = [{**_LATER_COLUMNS, **migrate_row(row)} for row in table.to_pylist(maps_as_pydicts="strict")]
    if {_column(name) for name in table.column_names} - set(schema.names):
        raise ValueError("it has other columns")
    return pa.Table.from_pylist(rows, schema=schema)


def _with_later_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table of version 4 or 5: what it lacks are columns that are empty in each row."""
    for name in [name for name in _LATER_COLUMNS if name in schema.names and name not in table.column_names]:
        field = schema.field(name)
        values = pa.array([_LATER_COLUMNS[name]] * len(table), field.type)
        table = table.add_column(schema.names.index(name), field, values)
    if not table.schema.equals(schema):
        raise ValueError("its columns are not those of this run")
    return table.replace_schema_metadata(schema.metadata)


def _strategy(section: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """A strategy's section, and the size of a generation, which was its population."""
    population = section["population"]
    moved = section["kind"] in _UNPOPULATED
    return {key: value for key, value in section.items() if not (moved and key == "population")}, population


def _column(name: str) -> str:
    return _target_renamed(name, _COLUMNS)


def _target_renamed(name: str, names: Mapping[str, str]) -> str:
    """A name that may end in `[target]`."""
    base, bracket, target = name.partition("[")
    return f"{names.get(base, base)}{bracket}{target}"


def _renamed(section: Any, names: Mapping[str, str]) -> Any:
    return {names.get(key, key): value for key, value in section.items()} if isinstance(section, Mapping) else section
