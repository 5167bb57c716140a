"""Format `py`: a network as Python code that needs torch alone, with its weights.

layers.py     a layer of torch's as the expression that makes it again
tracing.py    a network as a graph of its layers, or else of torch's operators
code.py       such a graph as text
exporter.py   text and weights as one file
"""

from evonas.exporters.python.exporter import PY

__all__ = ["PY"]
