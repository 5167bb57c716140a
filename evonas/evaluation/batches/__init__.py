"""Examples on their way to the device that trains, wherever they lie."""
