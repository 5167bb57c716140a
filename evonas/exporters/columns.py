"""What a file cannot hold of a table: which column each number of its inputs is, and which number each text."""

import json

from evonas.tasks.data_record.record import DataRecord

SUFFIX = ".columns.json"
HOW = (
    "An example is a row. `numbers` has the columns of table.numbers in their order, as they are, NaN in a gap; false "
    "is 0, true 1; where part is days, days since 1970-01-01. `categories` has the columns of table.categories: the "
    "place of the text in values, counted from 1; 0 is any other; a gap is one more than there are "
    "values where gaps is true, "
    "else 0; where part is month (1 to 12), weekday (1 Monday to 7 Sunday) or hour (0 to 23), that of the date. "
    "table.dates says how texts are read as dates. middle and scale are in the network: numbers go in as they are. "
    "evonas.tasks.table.Encoder.load(THIS FILE)(DATAFRAME) does all of it."
)


def columns(record: DataRecord | None) -> str:
    """JSON that says how rows of a table become what a network takes in; empty where the data are no table.

    Args:
        record: of the data of a run.
    """
    if record is None or record.table is None:
        return ""
    names = "numbers" if list(record.columns) == [""] else ""
    inputs = {name or names: column.dtype for name, column in record.columns.items()}
    about = {"how": HOW, "inputs": inputs, "classes": record.classes, "table": record.table.model_dump()}
    return json.dumps(about, indent=1, ensure_ascii=False)
