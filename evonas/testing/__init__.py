"""Contract suites: functions that a test of your own part calls, and that say what is wrong with the part.

    from evonas.testing import check_space

    def test_my_space() -> None:
        check_space(MySpace(), spec)

Each raises an AssertionError of one sentence. evonas's own parts are held to the same functions.
"""

from evonas.testing.backends import check_backend
from evonas.testing.exporters import check_exporter
from evonas.testing.learners import check_learner
from evonas.testing.metrics import check_metric
from evonas.testing.spaces import check_space
from evonas.testing.strategies import check_strategy
from evonas.testing.tasks import check_task
from evonas.testing.trackers import check_tracker

__all__ = [
    "check_backend",
    "check_exporter",
    "check_learner",
    "check_metric",
    "check_space",
    "check_strategy",
    "check_task",
    "check_tracker",
]
