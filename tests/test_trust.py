"""Reading what others have made never runs code, nor reaches beyond it: a corpus of hostile files and a canary."""

import csv
import hashlib
import io
import json
import os
import pickle
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from yaml import YAMLError

import evonas
from evonas import Choice
from evonas.cli import main
from evonas.errors import UserError
from evonas.launch.launch_files.loader import document, documents
from evonas.start import execute, prepare
from evonas.store import generations, open_folder
from evonas.store.documents import from_document, to_document
from evonas.store.journal import Journal
from tests.forging import forge, forge_cell, vouch
from tests.synthetic import Toy, config, prepared
from tests.test_loop import quiet

PACKAGE = Path(evonas.__file__).parent


class Bomb:
    """Unpickled, it leaves a file behind."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.canary),)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "canary"
    with pytest.raises(FileExistsError):
        pickle.loads(pickle.dumps(Bomb(path))), pickle.loads(pickle.dumps(Bomb(path)))
    path.rmdir()
    yield path
    assert not path.exists(), "code was run"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real, small run whose space is one of evonas."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    settings = {
        "space": {"kind": "cell", "stages": 1, "channels": [4], "cells": 1},
        "task": {"kind": "digits"},
        "objectives": [{"metric": "error"}, {"metric": "params"}],
        "strategy": {"population": 2},
        "training": {"epochs": 1},
        "budget": {"evaluations": 2},
        "runtime": {"kind": "serial"},
    }
    execute(prepare(settings, run=folder), watch=quiet)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


@pytest.mark.parametrize("how", ["pickle", "torch", "zip of torch"])
def test_weights_that_are_pickles(how: str, folder: Path, canary: Path) -> None:
    path = next((folder / "weights").iterdir())
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb(canary)))
    else:
        torch.save({"weight": Bomb(canary)}, path, _use_new_zipfile_serialization=how != "torch")
    index, digest = int(path.stem), hashlib.sha256(path.read_bytes()).hexdigest()
    rows = evonas.load(folder).evaluations
    forge_cell(folder, "evaluations", 1, "weights_sha256", rows["candidate"].tolist().index(index), digest)
    found = evonas.load(folder)
    with pytest.raises(UserError, match="is not a safetensors file"):
        found.build(index)


def test_a_parquet_file_with_an_extension_type(folder: Path, canary: Path) -> None:
    """Arrow once unpickled these by itself (CVE-2023-47248), Ray Data did so until 2.55 (CVE-2026-41486)."""

    def poisoned(table: pa.Table) -> pa.Table:
        field = table.schema.field("message").with_metadata(
            {
                "ARROW:extension:name": "arrow.py_extension_type",
                "ARROW:extension:metadata": pickle.dumps(Bomb(canary)),
            }
        )
        at = table.schema.get_field_index("message")
        return table.cast(table.schema.set(at, field.with_type(pa.string())))

    forge(folder, "evaluations", 1, poisoned)
    assert len(evonas.load(folder).evaluations) == 2
    assert main(["front", str(folder)]) == 0


def test_parquet_with_other_columns(folder: Path) -> None:
    forge(folder, "evaluations", 1, lambda table: table.append_column("more", pa.array([b"x"] * table.num_rows)))
    with pytest.raises(UserError, match="its columns are not those of this run"):
        evonas.load(folder).front()


@pytest.mark.parametrize(
    "data",
    [
        b"!!python/object/apply:os.mkdir ['CANARY']",
        b'{"__reduce__": ["os.mkdir", ["CANARY"]], "schema_version": 2}',
        b"[" * 100_000,
        b"\x80\x04\x95",
    ],
)
@pytest.mark.parametrize("name", ["run.json", "starts/0001.json", "manifest/generation-00001.json", "journal"])
def test_documents_that_are_something_else(name: str, data: bytes, folder: Path, canary: Path) -> None:
    path = folder / name if name != "journal" else next((folder / "journal").iterdir())
    path.write_bytes(data.replace(b"CANARY", str(canary).encode()))
    for command in (["status"], ["verify"], ["front"], ["resume"]):
        assert main([*command, str(folder)]) in (0, 2)
    path.write_bytes(pickle.dumps(Bomb(canary)))
    assert main(["verify", str(folder)]) in (0, 2)


@pytest.mark.parametrize(
    "change",
    [{"candidate": "../../etc/passwd"}, {"candidate": None}, {"genome": "x"}, {"genome": {"a": 1}}, {"kind": "exec"}],
)
def test_journal_entries_of_another_form(change: dict[str, Any], folder: Path) -> None:
    birth = {
        "kind": "born",
        "candidate": 2,
        "genome": [0] * 6,
        "parents": [],
        "operator": "",
        "visible": 0,
        "seed": 0,
    }
    digest = hashlib.sha256((folder / "manifest" / "generation-00001.json").read_bytes()).hexdigest()
    Journal(open_folder(folder), 50).checkpoint(1, digest, [{**birth, **change}])
    assert main(["status", str(folder)]) == 2
    assert main(["verify", str(folder)]) == 2


def commands(folder: Path, capsys: pytest.CaptureFixture[str], *names: str) -> str:
    """What commands say of a folder; each says it in a line, and none in a traceback."""
    said = ""
    for command in names or ("status", "verify", "front", "resume"):
        assert main([command, str(folder)]) in (0, 1, 2)
        errors = capsys.readouterr().err
        assert "Traceback" not in errors
        assert errors.count("\n") <= 1
        said += errors
    return said


@pytest.mark.parametrize("name", ["run.json", "starts/0001.json", "manifest/generation-00001.json"])
def test_documents_of_wrong_types_are_named_with_file_and_key(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / name
    true = from_document(name, path.read_bytes())
    for key in true.keys() - {"run", "tracking"}:
        wrong: object = "x" if isinstance(true[key], int | float) else 2.5
        path.write_bytes(to_document({**true, key: wrong}))
        assert main(["verify", str(folder)]) == 2, key
        assert name in capsys.readouterr().err
    path.write_bytes(to_document({key: value for key, value in true.items() if key != next(iter(true))}))
    assert name in commands(folder, capsys) or name.startswith("starts")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("candidate", None), ("candidate", -5), ("genome", None), ("genome", [None] * 6), ("arch", None), ("arch", "{"),
        ("status", "fine"), ("curve", None), ("rungs", [{"rung": None, "metrics": {}}]), ("params", float("nan")),
        ("error", float("inf")), ("conditions", None), ("message", None), ("seed", None), ("parents", [None]),
    ],
)  # fmt: skip
def test_tables_of_wrong_values_are_named_with_file_and_column(
    column: str, value: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forge_cell(folder, "evaluations", 1, column, 0, value)
    said = commands(folder, capsys, "front")
    assert f"evaluations/generation-00001.parquet is damaged: {column}" in said


@pytest.mark.parametrize(
    "key", ["genome", "parents", "status", "curve", "rungs", "params", "elapsed_s", "seed", "arch"]
)
def test_an_evaluation_of_the_journal_of_wrong_types_is_named(
    key: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = pq.read_table(folder / "evaluations" / "generation-00001.parquet").to_pylist(maps_as_pydicts="strict")
    digest = hashlib.sha256((folder / "manifest" / "generation-00001.json").read_bytes()).hexdigest()
    entry = {"kind": "evaluation", "elapsed_s": 1.0, **rows[0], "candidate": 2}
    Journal(open_folder(folder), 50).checkpoint(1, digest, [{**entry, key: {"a": []}}])
    assert f"journal/0050-000001.jsonl is damaged: candidate 2: {key}" in commands(folder, capsys, "status")


def test_only_regular_files_are_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("run.json", "starts/0001.json", "manifest/generation-00001.json"):
        path = folder / name
        true = path.read_bytes()
        path.unlink()
        os.mkfifo(path)
        assert f"{path} is no regular file" in commands(folder, capsys)
        path.unlink()
        path.write_bytes(true)


def test_a_file_that_is_too_large_is_named_before_it_is_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.truncate(folder / "starts" / "0001.json", 6 * 10**9)  # it takes no space on the disk
    assert "starts/0001.json is damaged: it has 6,000,000,000 bytes, more than the" in commands(folder, capsys)


@pytest.mark.parametrize("rows", [1, 40_000])
def test_a_table_that_unpacks_to_gigabytes_is_named(
    rows: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generations, "UNPACKED_BYTES", 2**22)
    path = folder / "evaluations" / "generation-00001.parquet"
    table = pq.read_table(path)
    message = pa.array(["x" * (10**7 if rows == 1 else 1000)] * 2)
    table = table.set_column(table.column_names.index("message"), "message", message)
    pq.write_table(pa.concat_tables([table] * rows), path, compression="zstd")
    assert path.stat().st_size < 10**6
    vouch(folder)
    assert "evaluations/generation-00001.parquet is damaged: its" in commands(folder, capsys)


def test_a_description_that_is_damaged_or_lost_is_made_good_from_its_copy(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "run.json"
    true = path.read_bytes()
    for damaged in (None, b"", true[:-20], true.replace(b'"digits"', b'"digit5"')):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        assert len(evonas.load(folder).evaluations) == 2
        assert main(["verify", str(folder)]) == 2
        assert "run.json is damaged or lost; `evonas resume" in capsys.readouterr().err
        assert main(["resume", str(folder)]) == 0
        assert "run.json is damaged or lost; its copy in starts/0001.json takes its place" in capsys.readouterr().out
        assert path.read_bytes() == true
        assert main(["verify", str(folder)]) == 0


def test_a_config_with_tags_is_not_yaml(tmp_path: Path, canary: Path) -> None:
    for tag in ("object/apply:os.mkdir", "object/new:os.mkdir", "name:os.mkdir", "module:os"):
        path = tmp_path / "config.yaml"
        path.write_text(f"seed: !!python/{tag} ['{canary}']\n")
        assert main(["search", str(path)]) == 2
        assert main(["search", "configs/digits.yaml", "--set", f"seed=!!python/{tag} ['{canary}']"]) == 2


def test_arrays_of_objects_are_refused(tmp_path: Path, canary: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.array([Bomb(canary)], dtype=object), y=np.zeros(1, np.int64))
    settings = config(task={"kind": "npz", "path": str(tmp_path / "data.npz")}).model_dump(mode="json")
    with pytest.raises(UserError, match="npz"):
        prepare({**settings, "space": {"kind": "cell"}}, run=tmp_path / "run")


def test_symbolic_links_lead_nowhere(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "000001.safetensors").write_text("mine")
    shutil.rmtree(folder / "weights")
    (folder / "weights").symlink_to(secret)
    with pytest.raises(UserError, match="weights is a symbolic link"):
        evonas.load(folder).build(evonas.load(folder).front()["candidate"].iloc[0])
    assert main(["resume", str(folder), "--set", "budget.evaluations=6"]) == 2
    assert (secret / "000001.safetensors").read_text() == "mine"
    target = folder / "evaluations" / "generation-00001.parquet"
    target.rename(tmp_path / "elsewhere.parquet")
    target.symlink_to(tmp_path / "elsewhere.parquet")
    with pytest.raises(UserError, match=r"generation-00001\.parquet is a symbolic link"):
        evonas.load(folder).front()


class Hostile(Toy):
    stem = Choice("=cmd|' /C calc'!A0", "<script>alert(1)</script>", "[bold]x[/bold]\x1b]0;title\x07")


def test_texts_in_a_genome_stay_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = config(budget={"evaluations": 16})
    start = prepared(tmp_path / "run", settings, Hostile())
    execute(start, watch=quiet)
    capsys.readouterr()
    assert main(["front", str(tmp_path / "run"), "--format", "csv"]) == 0
    table = capsys.readouterr().out
    for row in csv.reader(io.StringIO(table)):
        assert not [cell for cell in row if re.match(r"[=+@\t\r]|-[^\d]", cell)]
    assert main(["front", str(tmp_path / "run"), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert main(["front", str(tmp_path / "run")]) == 0
    assert main(["status", str(tmp_path / "run")]) == 0
    assert "\x1b]" not in table + capsys.readouterr().out
    assert "<script>" not in evonas.load(tmp_path / "run", Hostile()).evaluations._repr_html_()


def test_messages_cannot_steer_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text('seed: 0\n"\\e]0;title\\a": 1\n')
    assert main(["search", str(path)]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_nothing_in_the_package_unpickles_or_evaluates_but_the_transport() -> None:
    """A worker unpickles what its own driver packed; everything else is parsed."""
    forbidden = re.compile(
        r"\b(pickle|cloudpickle|dill|joblib|marshal|shelve)\.loads?\b|\beval\(|\bexec\(|(?<!safetensors\.)torch\.load\(|yaml\.(unsafe_|full_)?load(_all)?\("
        r"|allow_pickle=True|weights_only=False|read_pickle"
    )
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if forbidden.search(path.read_text().replace("network.eval(", "").replace(".eval()", ""))
    }
    transport = {f"runtime/sandbox/{name}.py" for name in ("packing", "fork_server", "worker", "worker_process")}
    checks = {"testing/checks.py"}  # a part's round trip, which the test itself has packed
    written = {f"exporters/python/{name}.py" for name in ("exporter", "layers")}  # code that export has just made
    yaml_of_launch_files = {"launch/launch_files/loader.py"}  # by a loader that is safe: the test below
    assert found <= transport | checks | written | yaml_of_launch_files


def test_yaml_of_launch_files_makes_no_object(canary: Path) -> None:
    text = f"!!python/object/apply:os.mkdir ['{canary}']"
    with pytest.raises(YAMLError, match="could not determine a constructor"):
        document(text)
    with pytest.raises(YAMLError, match="could not determine a constructor"):
        list(documents(f"kind: List\n---\n{text}"))
