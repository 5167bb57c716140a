"""`evonas cluster`: a cluster that starts, runs a search and is taken down, by the lines of `cluster/README.md`.

`up.py`, `status.py` and `down.py` are the same for all clouds. What differs is a `Provider` (`provider.py`), one file
each; what they have in common (a tunnel, a token, waiting for boards, what machines cost) is a file each as well.
"""
