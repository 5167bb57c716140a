"""What is wrong with a search, before anything of it costs."""

from evonas.launch.order import Order
from evonas.launch.provider import Provider
from evonas.launch.settled import check_bucket

_SOMEWHERE = "s3://bucket/run"
"""A run folder that `submit` would take, where the true one is not known yet."""


def check_search(order: Order, provider: Provider) -> None:
    """Checks what `evonas submit` checks, which comes to its turn when the head is paid for.

    Raises:
        UserError: The config is wrong, or nothing for a cluster, or the head may not write its run folder.
    """
    from evonas.submit.staging import check, stage  # torch, which `down` can do without

    if order.config_path is None or order.config is None:
        return
    check_bucket(order.cloud, provider.run_folder(), order.value("bucket"))
    if order.cloud == "slurm":
        check(order.config)  # sbatch is given the files where they are
    else:
        stage(order.config_path, provider.run_folder() or _SOMEWHERE, order.overrides, order.modules)
