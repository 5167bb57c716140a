"""`evonas cluster`: a cluster that starts, runs a search and is taken down, by the lines of `cluster/README.md`.

`up.py`, `status.py` and `down.py` are the same for all clouds. What differs is a `Provider` (`provider.py`): AWS and
Google through Ray's launcher (`ray_launcher/`), `kubernetes/` and `slurm/`. They share what a line asks for and what is
known of a cluster (`order.py`, `state.py`), what launch files say (`launch_files/`) and what it costs (`costs/`).
"""
