"""What a network would reach if it were trained, from its genes and those of networks that were: a Gaussian process.

Knows nothing of strategies, jobs or files, and needs numpy and scipy alone. What comes out is rounded, so that two
machines, whose last digits differ, agree.
"""

from evonas.surrogate.embedding import Embedding
from evonas.surrogate.gaussian_process import GaussianProcess, Kernel, fit_kernel
from evonas.surrogate.scales import Scale, scale_of
from evonas.surrogate.surrogate import FEWEST, Known, Surrogate
from evonas.surrogate.threads import one_thread

__all__ = [
    "FEWEST",
    "Embedding",
    "GaussianProcess",
    "Kernel",
    "Known",
    "Scale",
    "Surrogate",
    "fit_kernel",
    "one_thread",
    "scale_of",
]
