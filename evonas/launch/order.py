"""What the user asks for, with what was asked for before."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType

from evonas.clusters.needed import Need
from evonas.config import Config
from evonas.config.loading import load_config
from evonas.errors import UserError
from evonas.launch.state import State, change, read
from evonas.prices import Prices

WORKERS = 16
"""As the launch files allow at most."""
PLACE = ("context", "namespace")
"""Options that say which Kubernetes is meant; a region or project is named where a line says it."""


@dataclass(frozen=True)
class Order:
    """One line of `evonas cluster`.

    Args:
        cloud: `aws`, `gcp`, `kubernetes` or `slurm`.
        line: how it was asked for, to say how to go on.
        folder: where the files are written, and what is known of the cluster.
        state: what an earlier line has left there.
        given: option -> its value: image, bucket, region, zone, project, context, namespace, run.
        config_path: YAML file of the search; None for a cluster without one.
        overrides: KEY=VALUE, over the config.
        modules: the user's own.
        address: from where SSH is let in, `203.0.113.7/32`; None: as this machine is seen.
        sbatch: further options of sbatch.
        replace: write over a launch file that was changed by hand.
        anyway: start although the account may have too few machines.
    """

    cloud: str
    line: str
    folder: Path
    state: State
    given: Mapping[str, str]
    config_path: str | None = None
    overrides: tuple[str, ...] = ()
    modules: tuple[ModuleType, ...] = ()
    address: str | None = None
    sbatch: tuple[str, ...] = ()
    replace: bool = False
    anyway: bool = False

    def value(self, name: str) -> str | None:
        """An option as it is given, or as it was given before."""
        return self.given.get(name) or self._known.get(name)

    @property
    def _known(self) -> dict[str, str]:
        """What was given before and still holds: a machine image of AWS is its region's."""
        known, region = dict(self.state.given), self.given.get("region")
        if region and known.get("region", region) != region:
            known.pop("ami", None)
        return known

    @property
    def remembered(self) -> dict[str, str]:
        """All options that have a value, but the run folder, which is one CONFIG's."""
        return {name: value for name, value in {**self._known, **self.given}.items() if name != "run"}

    @property
    def bucket(self) -> str | None:
        """That of this line or of an earlier one, also where this one has found it out since."""
        return self.value("bucket") or read(self.folder).given.get("bucket")

    @cached_property
    def config(self) -> Config | None:
        """The search, with `overrides` in it. UserError: it is wrong."""
        return load_config(self.config_path, self.overrides) if self.config_path else None

    @property
    def own_prices(self) -> Mapping[str, float]:
        """The prices that the user has given with the search, and without a CONFIG with that of the last `up`."""
        return self.config.runtime.own_prices if self.config else self.state.prices

    @property
    def prices(self) -> Prices:
        """These, before those of the list."""
        return Prices(self.own_prices)

    def with_defaults(self, **defaults: float) -> tuple[str, ...]:
        """The overrides, and these of `runtime` where neither the config nor an override says anything."""
        runtime = self.config.runtime if self.config else None
        said = set(runtime.model_fields_set) if runtime else set[str]()
        if runtime and runtime.workers != "auto":
            said.add("max_workers")  # it bounds workers: auto, and nothing else
        elif runtime and runtime.max_workers is None:
            said.discard("max_workers")
        return (*self.overrides, *(f"runtime.{name}={value}" for name, value in defaults.items() if name not in said))

    @property
    def workers(self) -> int:
        """How many workers the search asks for at most."""
        runtime = self.config.runtime if self.config else None
        if runtime is None or runtime.workers == "auto":
            return (runtime and runtime.max_workers) or WORKERS
        return runtime.workers

    @property
    def resources(self) -> set[str]:
        """The custom resources that the search's targets want."""
        targets = self.config.targets.values() if self.config else ()
        return {target.resource for target in targets if target.resource}

    def need(self, cpus: float) -> Need:
        """What the search asks of a cluster.

        Args:
            cpus: of a worker, where the config does not say; it gets a GPU then, as of `run_search`.
        """
        runtime = self.config.runtime if self.config else None
        said = runtime.model_fields_set if runtime else set[str]()
        gpus = runtime.gpus_at_first if runtime and "gpus_per_worker" in said else 1.0
        cores = runtime.cpus_per_worker if runtime and "cpus_per_worker" in said else cpus
        return Need(self.workers, cores, gpus, frozenset(self.resources))

    @property
    def title(self) -> str:
        """The search's name, of its file."""
        return Path(self.config_path).stem if self.config_path else "run"

    @property
    def whole_path(self) -> str:
        """The search's file, from wherever the line is given."""
        return str(Path(self.config_path).resolve()) if self.config_path else ""

    def run(self, default: str | None) -> str | None:
        """The run folder of CONFIG, and without one that of the last `up`.

        Args:
            default: where CONFIG runs if no line has said it.

        Raises:
            UserError: Another CONFIG runs in the default.
        """
        if said := self.given.get("run"):
            return said
        runs = self.state.runs
        if not self.config_path:
            return list(runs.values())[-1] if runs else None
        if known := runs.get(self.whole_path):
            return known
        if other := [path for path, run in runs.items() if run == default]:
            raise UserError(f"{default} is the run folder of {other[0]}: another one for {self.config_path}, --run")
        return default

    def run_in(self, store: str, bucket: str | None) -> str | None:
        """As `run`, where a CONFIG's is in a bucket, by its name, unless a line has said another.

        Args:
            store: `s3` or `gs`.
            bucket: of it; None where none is known.
        """
        return self.run(f"{store}://{bucket}/{self.title}" if bucket else None)

    def runs(self, run: str | None) -> dict[str, str]:
        """The run folders of the cluster by their CONFIG, a whole path, with this one of CONFIG as the last."""
        known = {**self.state.runs, **read(self.folder).runs}  # the former may be of a launch file
        if not self.config_path or not run:
            return known
        others = {path: its for path, its in known.items() if self.whole_path != path and its != run}
        return {**others, self.whole_path: run}

    def keep(self, bucket: str | None = None, **found: str) -> None:
        """Keeps the options for later lines.

        Args:
            bucket: that of this line, once it is this user's to use; till then that of an earlier line stays.
            found: what this line has found out of others.
        """
        kept = {**self.remembered, **found, "bucket": bucket or self.state.given.get("bucket")}
        change(self.folder, given={name: value for name, value in kept.items() if value})

    def remember(self, run: str | None) -> None:
        """Keeps the run folder of CONFIG."""
        if self.config_path and run:
            change(self.folder, runs=self.runs(run))

    def again(self, action: str, **place: str) -> str:
        """The line for another action on this cluster.

        Args:
            action: `up`, `status` or `down`.
            place: options of another place that is meant.
        """
        folder = "" if self.folder == default_folder(self.cloud) else f" --folder {shlex.quote(str(self.folder))}"
        known = read(self.folder).given
        here = {name: value for name in PLACE if (value := self.given.get(name)) and value != known.get(name)}
        where = "".join(f" --{name} {shlex.quote(value)}" for name, value in {**here, **place}.items())
        return f"evonas cluster {action} {self.cloud}{folder}{where}"


def default_folder(cloud: str) -> Path:
    """Where the files of a cloud's cluster are."""
    return Path(f"cluster-{cloud}")
