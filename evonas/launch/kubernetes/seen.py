"""What there is of a cluster: kubectl, which may sign in anew for each question, is asked all of them at once."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from evonas.launch.kubernetes import pod_objects, strangers
from evonas.launch.kubernetes.kubectl import Place
from evonas.launch.kubernetes.manifests import objects
from evonas.launch.kubernetes.pools import Pools
from evonas.launch.kubernetes.pools import look as look_for_pools
from evonas.launch.launch_files.head_file import head_file


@dataclass(frozen=True, slots=True)
class Seen:
    """What there is of a cluster.

    Args:
        pods: of it.
        going: its objects that go, whatever they wait for.
        jobs: that are not of it, and need its guards.
        strange: objects of its names that no `up` has made.
        pools: of machines.
        unsaid: why kubectl does not show others of its objects.
        is_hidden: whether the RayCluster is one that it does not show.
        hidden: why it does not show pods or jobs, which may need the guards.
    """

    pods: list[str]
    going: list[str]
    jobs: list[str]
    strange: list[str]
    pools: Pools
    unsaid: list[str]
    is_hidden: bool
    hidden: list[str]

    @property
    def cluster(self) -> list[str]:
        return [name for name in self.going if pod_objects.is_cluster(name)]

    @property
    def guards(self) -> list[str]:
        return [name for name in self.going if not pod_objects.is_cluster(name)]

    @property
    def are_needed(self) -> bool:
        """Whether the guards stay: for a job, or for what nobody can see."""
        return bool(self.jobs or self.hidden)


def look(place: Place, copy: Path, made: Collection[str]) -> Seen:
    """What there is now.

    Args:
        place: where the cluster is.
        copy: its launch file, which may be lost.
        made: what was made beside the launch file, as far as a state knows it.
    """
    parts = [part for file in (head_file(copy), copy) for part in _parts(file)]
    with ThreadPoolExecutor() as asked:
        of_cluster, of_beside = asked.submit(pod_objects.cluster, place), asked.submit(pod_objects.beside, place)
        of_guards = asked.submit(strangers.look, place, parts)
        of_pods, of_jobs = asked.submit(pod_objects.pods, place), asked.submit(pod_objects.jobs, place)
        of_pools = asked.submit(look_for_pools, place, copy, made)
    (clusters, no_cluster), (guards, strange, no_guards) = of_cluster.result(), of_guards.result()
    beside, not_beside = of_beside.result()
    own = [name for name, is_labelled in beside.items() if is_labelled or name in made]
    (pods, no_pods), (jobs, no_jobs) = of_pods.result(), of_jobs.result()
    hidden = list(dict.fromkeys([*no_pods, *no_jobs]))
    unsaid = list(dict.fromkeys([*no_cluster, *no_guards, *not_beside]))
    strange = [*(name for name in beside if name not in own), *strange]
    going = [*clusters, *guards, *own]
    return Seen(pods, going, jobs, strange, of_pools.result(), unsaid, bool(no_cluster), hidden)


def _parts(file: Path) -> list[dict[str, Any]]:
    """The objects of a launch file; none where it is lost, or cannot be read."""
    try:
        return objects(file.read_text())
    except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError):
        return []
