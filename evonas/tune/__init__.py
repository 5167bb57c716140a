"""The strategies as a search algorithm of Ray Tune: several objectives, limits, and any trainable, of networks or not.

searcher = EvolutionSearcher(metric=["loss", "latency_ms"], mode=["min", "min"], limits={"latency_ms": {"at_most": 5}})
tune.Tuner(trainable, param_space=..., tune_config=tune.TuneConfig(search_alg=searcher, num_samples=200)).fit()
searcher.front()
"""

from evonas.errors import UserError

try:
    import ray.tune  # noqa: F401
except ImportError as error:
    raise UserError(f"evonas.tune needs Ray Tune: pip install 'ray[tune]' ({error})") from None

from evonas.tune.front import FrontTrial
from evonas.tune.searcher import EvolutionSearcher

__all__ = ["EvolutionSearcher", "FrontTrial"]
