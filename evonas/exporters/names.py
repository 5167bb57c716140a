"""What a file holds of the numbers that its network takes in: whom or what each stands for."""

import json

from evonas.tasks.data_record.record import DataRecord

SUFFIX = ".names.json"
HOW = (
    "names[N] is what the number N of the input is called, classes[N] the output N. To ask by a name, give "
    "names.index(NAME); the largest outputs are the best."
)


def names(record: DataRecord | None) -> str:
    """JSON that says what the numbers of an input are called; empty where they have no names.

    Args:
        record: of the data of a run.
    """
    if record is None or not record.names:
        return ""
    return json.dumps({"how": HOW, "names": record.names, "classes": record.classes}, ensure_ascii=False)
