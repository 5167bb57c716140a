"""The tasks that a config can name, and how to add one.

A task of your own is a function that returns a `Task`: load arrays, make `Splits`, call `classification` or
`regression`. All images are stored as (n, channels, height, width), in uint8 where they come so. Examples that do not
fit into memory are a `StoredArray` (stored_array.py) in the place of an array; `NpyFile` (arrays/npy.py) is one.
"""

from collections.abc import Callable

from evonas.tasks.arrays.npy import npy
from evonas.tasks.arrays.npz import npz
from evonas.tasks.audio.arrays import audio
from evonas.tasks.audio.folder import audio_folder
from evonas.tasks.digits import digits
from evonas.tasks.pictures.huggingface import huggingface
from evonas.tasks.pictures.image_folder import image_folder
from evonas.tasks.recipes import ADAMW, trained_by
from evonas.tasks.recommendation import recommendation
from evonas.tasks.segmentation.task import segmentation
from evonas.tasks.series import series
from evonas.tasks.table import table
from evonas.tasks.task import Task
from evonas.tasks.texts.characters import characters
from evonas.tasks.texts.text_folder import text_folder
from evonas.tasks.texts.text_table import text_table

TASKS: dict[str, Callable[..., Task]] = {
    "digits": digits,
    "npz": npz,
    "npy": npy,
    "table": trained_by(ADAMW, table),
    "image_folder": image_folder,
    "audio_folder": trained_by(ADAMW, audio_folder),
    "series": trained_by(ADAMW, series),
    "recommendation": recommendation,
    "audio": trained_by(ADAMW, audio),
    "characters": trained_by(ADAMW, characters),
    "text_folder": trained_by(ADAMW, text_folder),
    "text_table": trained_by(ADAMW, text_table),
    "segmentation": segmentation,
    "huggingface": huggingface,
}
"""PartConfig -> function of the keyword options of a config's `task` section."""
