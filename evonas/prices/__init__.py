"""What a node costs an hour: by its type, from list prices with a date or from the user's own."""

from evonas.prices.prices import (
    NODE_TYPE_LABEL,
    NODE_TYPE_VARIABLE,
    REST,
    Prices,
    Size,
    list_prices,
    names_of_this_machine,
    read_prices,
)

__all__ = [
    "NODE_TYPE_LABEL",
    "NODE_TYPE_VARIABLE",
    "REST",
    "Prices",
    "Size",
    "list_prices",
    "names_of_this_machine",
    "read_prices",
]
