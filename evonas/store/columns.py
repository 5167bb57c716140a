"""The unit and the meaning of every column of a run's tables: the one place where they are said.

The reference of the documents is made from it, and reports take their units from it. Names and types are in `schema`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from evonas.objectives.metrics import METRICS


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds. unit: empty for text, counts and shares."""

    unit: str
    meaning: str


FIXED: Mapping[str, Column] = {
    "candidate": Column("", "index of the candidate, from 0, in the order of birth"),
    "generation": Column(
        "", "block of evaluated candidates that the row is recorded in, from 1; empty while it is open"
    ),
    "position": Column("", "place in the order that counts: by index, in `async` mode by arrival"),
    "genome": Column("", "index of the chosen value of each gene, in the order of the genes of the space"),
    "arch": Column("", "the architecture as JSON of named genes"),
    "arch_hash": Column("", "equal for two candidates exactly when they count as the same network"),
    "parents": Column("", "candidates that it was bred from; none of a random one"),
    "operator": Column(
        "",
        "how it was bred, e.g. `random`, `mutation`, `crossover+mutation`; `founder`: it was given; `from`: it is of "
        "an earlier run",
    ),
    "predicted": Column("", "what its strategy expected, by objective; `NAME.std`: the deviation; mostly empty"),
    "visible": Column("", "how many candidates were known when it was bred"),
    "seed": Column("", "seed of its initial weights and of the order of its training examples"),
    "status": Column(
        "", "`ok` (fully trained), `stopped` (at a rung), `infeasible` (over a limit, not trained), `failed:...`"
    ),
    "violation": Column("", "summed relative excess over the limits; 0: within all of them"),
    "epochs": Column("", "epochs trained"),
    "batch_size": Column(
        "", "examples in a training step; half of the config's where memory ran out at that; 0: not trained"
    ),
    "curve": Column("", "learning curve: `epoch`, mean `train_loss` and `valid_loss` an example, `valid_metric`"),
    "rungs": Column("", "metrics known at each rung it reached: `rung` from 0, `metrics`"),
    "scores": Column(
        "",
        "of a fully trained candidate, by metric: what it is made of, a number a validation example (65,536 at most), "
        "in bytes: `b` and bits, or `f` and float32, each behind their count; `Run.scores` has them as numbers",
    ),
    "conditions": Column(
        "",
        "what the numbers depend on, as text: host, device, versions, ...; of a measurement `name[T]`; of a row that "
        "was taken over, `from` (the run) and `from_candidate`",
    ),
    "attempts": Column("", "times it was begun, the last one included"),
    "message": Column("", "one line that says what went wrong or what is special; else empty"),
    "weights_sha256": Column(
        "", "SHA-256 of its file in `weights/`, if it may have been on the front when it was evaluated"
    ),
    "queued_s": Column("s", "from when it was given to a worker to its result, without measuring and training"),
    "measure_s": Column("s", "time that measuring it took, pauses included"),
    "train_s": Column("s", "time that training it took, validation and pauses included"),
    "paused_s": Column(
        "s", "time that it waited while other networks were measured; part of `train_s` and `measure_s`"
    ),
    "started_at": Column("s since 1970", "start of its last attempt, by the clock of its host"),
    "finished_at": Column("s since 1970", "end of its last attempt, by the clock of its host"),
    "usd": Column(
        "US dollars",
        "what its attempts cost: the worker's part of its node x the node's price; empty where that is not known. "
        "Nodes cost more than their candidates, for they start and wait: conditions `spent_usd` (of all nodes since "
        "the row before) and `unpriced_node_s`",
    ),
}
"""Columns of `evaluations` that every run has."""

CONDITIONS: Mapping[str, str] = {
    "host": "where it was evaluated",
    "device": "model of the device that it trained on",
    "torch": "version",
    "python": "version",
    "cuda": "version that torch was built for",
    "dtype": "precision that it trained in",
    "float32": "in how many bits its training multiplied float32: `ieee`, `tf32` or `bf16`, of products of matrices, "
    "convolutions and recurrent layers; of a processor where it is not `ieee` throughout",
    "threads": "of a processor, for its training",
    "graph": "whether steps were replayed as one CUDA graph, or why not",
    "examples": "`streamed`, and why, where the GPU had no room for them",
    "trained_by": "where its training was taken from (`runtime.cache`): candidate, run and seed",
    "cache": "why its training was not written into `runtime.cache`",
    "gpus": "its worker's share of a GPU",
    "gpu_s": "seconds for which GPUs were held since the row before",
    "gpu_wh": "energy that the GPU took while it trained, of a shared one the worker's share",
    "gpu_memory_mb": "of the GPU",
    "gpu_data_mb": "of the GPU, for the examples",
    "mps": "whether NVIDIA's MPS was there",
    "slowdown": "by what factor its training steps took longer than with the GPU to itself",
    "not_inherited": "what of it the supernet had no weights for, at rung 0: places, share of the weights",
    "from": "the run that it was taken over from; `from_candidate`: its index there",
    "until[T]": "how far its latency was measured, if not to the end: `first S s`, a screen, or `decided`, as far as "
    "something depended on it",
    "device[T]": "model that its latency was measured on; `backend[T]`, `dtype[T]`, `batch[T]`, `threads[T]`, "
    "`graph[T]`, `float32[T]`, `torch[T]`, `cuda[T]`, `driver[T]`, `onnxruntime[T]`, `openvino[T]`, "
    "`executorch[T]`, `litert[T]`: how it ran there",
    "judged_by[T]": "validation examples that the task's metrics in 8 bits are of, of how many; `calibrated_by[T]`: "
    "training examples that the ranges of activations are of",
    "host[T]": "the machine, where it is another one; `address[T]`: of its measuring server",
    "includes[T]": "`prepare` or `network`: what was measured",
    "quiet[T]": "whether nobody else that evonas knows of used the device",
    "quiet_within[T]": "`this container`, from which others on the machine are not seen",
    "nice[T]": "priority of the process; `cores[T]`: those that it was kept on; `memory[T]`: `kept` where freed memory "
    "stayed with the process, which times depend on",
    "numa[T]": "of a GPU: the node of memory that it and those cores are on, that they are on another one, or why that "
    "is not known",
    "cpu_mhz[T]": "clock; `temperature_c[T]` of a processor, `gpu_mhz[T]`, `gpu_temperature_c[T]` and "
    "`gpu_slowed_by[T]` of a GPU, as far as they can be read",
    "quiet_reference_ms[T]": "what the reference network takes on the quiet device",
    "took_s[T]": "seconds that the measurement took",
    "measured[T]": "`before`, where it was known already",
    "against[T]": "members of the front that it was measured beside",
    "graph_refused[T]": "why it ran without a CUDA graph",
    "energy_95_mj[T]": "interval of its energy",
}
"""What may stand in `conditions`, with `[T]` of a measurement on target T; a backend says more of how it ran there."""

UNTRAINED = "of the untrained network on the first 64 training examples"
"""What zero-cost scores are of."""
PER_METRIC: Mapping[str, Column] = {
    "params": Column(METRICS["params"].unit, "trainable parameters"),
    "macs": Column(METRICS["macs"].unit, "multiply-accumulate operations of one example in a forward pass"),
    "train_memory_mb": Column(
        METRICS["train_memory_mb"].unit, "peak memory of a training step at the config's batch size, MB of 10^6 bytes"
    ),
    "kv_cache_mb": Column(
        METRICS["kv_cache_mb"].unit,
        "what a causal transformer keeps of a text as long as its input to go on with it: keys, values and states, in "
        "the network's precision, MB of 10^6 bytes; 0 of a network that says of no part what it keeps",
    ),
    "grad_norm": Column("", "sum of the norms of the loss's gradients by the weights, " + UNTRAINED),
    "snip": Column("", "sum of |weight x gradient of the loss| (Lee et al. 2019), " + UNTRAINED),
    "synflow": Column(
        "",
        "log(1 + sum of weight x gradient) of the output for inputs of 1 with positive weights, of the untrained "
        "network (Tanaka et al. 2020)",
    ),
    "naswot": Column("", "log det of how many units agree on each two examples (Mellor et al. 2021), " + UNTRAINED),
    "zico": Column(
        "", "sum over layers of log of the sum of mean |gradient| / its deviation (Li et al. 2023), " + UNTRAINED
    ),
    "az_expressivity": Column(
        "nats", "sum over blocks of the entropy of their features' components (Lee & Ham 2024), " + UNTRAINED
    ),
    "az_progressivity": Column(
        "nats", "by how much that entropy grows from a block to the next at least (Lee & Ham 2024), " + UNTRAINED
    ),
    "az_trainability": Column(
        "",
        "how near 1 the largest singular value of blocks' Jacobians is; 0 is best (Lee & Ham 2024), " + UNTRAINED,
    ),
}
"""Columns of `evaluations` that do not depend on a target."""

OF_THE_TASK = Column("", "the task's metric on the validation part; empty where the candidate was not trained")
IN_8_BITS = Column(
    "", "the task's metric of the network quantised for the target, on validation examples, as it ran there"
)

PER_TARGET: Mapping[str, Column] = {
    "latency_ms": Column(
        "ms", "median time of a forward pass of the target's batch, corrected by the reference network"
    ),
    "latency_low_ms": Column("ms", "lower end of the 95 % interval of `latency_ms`"),
    "latency_high_ms": Column("ms", "upper end of the 95 % interval of `latency_ms`"),
    "latency_p90_ms": Column("ms", "ninth decile of the time of a pass, corrected in the same way"),
    "latency_raw_ms": Column("ms", "median time of a pass as it was clocked"),
    "reference_ms": Column("ms", "median time of the reference network during this measurement"),
    "drift": Column("", "how much slower the reference was than on the quiet device, as a share: 0.1 is 10 %"),
    "examples_per_s": Column("examples/s", "batch divided by `latency_ms`"),
    "settled": Column("", "1: the interval came within its bound (`within`); 0: `max_seconds` ended the measurement"),
    "remeasured": Column("", "times that it was measured again beside members of the front it could not be told from"),
    "memory_mb": Column("MB", "peak memory of a pass, weights included, MB of 10^6 bytes"),
    "size_mb": Column("MB", "size of the model file, MB of 10^6 bytes"),
    "energy_mj": Column("mJ", "energy of a pass"),
    "latency_samples": Column("ms", "single passes as they were clocked, in order"),
}
"""Columns of `evaluations` of each target T, as `NAME[T]`."""

BEFORE: Mapping[str, Column] = {
    "before.gain": Column(
        "",
        "at rung 0: the hypervolume that it was expected to add, in logarithms, the front of its birth going from 0 to "
        "1 in each objective, times the chance that it keeps the limits on what training tells; where it was expected "
        "to add none: -1 less how far it was behind. The how-to of limits has the formula",
    ),
    "before.threshold": Column("", "the `before.gain` from which on it is trained; empty: any"),
    "before.always": Column("", "1: drawn to be trained, whatever was expected"),
}
"""Columns of `evaluations` of a search with rung 0."""

EXPECTED = Column(
    "",
    "what training was expected to give, in the unit of the column behind the dot; empty: not known. Where "
    "`training.before` is a metric of the untrained network: that metric, its sign turned if less of the column is "
    "better; where it is `scores`, the sum of the logarithms of ranks among the networks that were visible, its sign "
    "turned likewise; these are no values of the column and have not its unit; where it is `supernet`, what the "
    "network has with inherited weights, which is mostly worse than what it is trained to",
)

WITH_INHERITED_WEIGHTS = Column(
    "",
    "where `training.before` is `supernet`: the metric of the task behind the dot, on the validation part, of the "
    "network with the weights of the supernet and BatchNorm averaged anew over training examples; `before.COLUMN` is "
    "the same",
)

POPULATION: Mapping[str, Column] = {
    "generation": Column("", "generation after which they survived, from 1"),
    "candidate": Column("", "index of the survivor"),
    "rank": Column("", "non-domination rank among all that were told, from 0"),
    "crowding": Column("", "crowding distance within the rank; infinite at its ends, nan where the strategy has none"),
}
"""Columns of `populations`."""


def described(column: str) -> Column:
    """The unit and meaning of a column of `evaluations`; a name that is registered nowhere is a metric of the task.

    Args:
        column: Its name, e.g. `latency_ms[cpu]`.
    """
    name, _, target = column.partition("[")
    known = PER_TARGET if target else {**FIXED, **PER_METRIC, **BEFORE}
    if name.startswith("before.") and name not in known:
        return EXPECTED
    if name.startswith("inherited."):
        return WITH_INHERITED_WEIGHTS
    if name not in known and name in METRICS:
        says = METRICS[name].compute.__doc__ or ""
        return Column(METRICS[name].unit, " ".join(says.partition("\n\n")[0].split()))
    return known.get(name, IN_8_BITS if target else OF_THE_TASK)
