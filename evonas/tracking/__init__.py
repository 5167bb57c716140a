"""Tells the trackers that people already have what a search is at and what it found (`tracking: [tensorboard]`).

tracker.py   the contract
dispatcher.py   when they are told, by threads of their own, and what happens when one fails
tensorboard.py, mlflow.py, wandb.py through their own libraries, which are extras

To add one: a file here, a line in `dispatcher.TRACKERS`, its name in `config.Config.tracking`.
"""

from evonas.tracking.dispatcher import TrackerDispatcher, missing

__all__ = ["TrackerDispatcher", "missing"]
