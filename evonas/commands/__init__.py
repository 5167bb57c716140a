"""The commands of the command line, one file each: `HELP`, `add_arguments(parser)` and `run(options)`.

A command imports what it needs in its functions, so that --help answers at once. To add one: a file here and a line in
`COMMANDS`.
"""

COMMANDS = {
    "init": "look at data and write a config that runs with them",
    "search": "run a search; the same line again resumes it",
    "resume": "go on with a run as it was configured",
    "status": "how far a run is",
    "log": "what candidates printed and how they failed, or one of them in full",
    "verify": "derive every genome, stop and survivor again from the record",
    "train": "train networks of a run to the end, and test them once; the same line again goes on",
    "test": "the test figure of networks of a run, or of exported files",
    "audit": "was the search worth it: against random search, and against what its networks are in the end",
    "front": "the best trade-offs of a run",
    "report": "a run as one HTML page",
    "space": "the genes of a config's space, and some of its networks",
    "measure": "measure a candidate of a run on this machine",
    "export": "write a network of the front as one file that runs elsewhere: pt2, onnx, py, safetensors, pte, tflite",
    "measure-server": "measure networks on this machine for searches that run elsewhere",
    "table": "measure each block of a config's space, for searches that add latencies up",
    "supernet": "train shared weights of a config's space, for searches that judge networks by them before training",
    "submit": "run a search as a job of a Ray cluster; the same line again comes back to it",
    "cluster": "start a cluster on a cloud, Kubernetes or Slurm, search on it, take it all down",
    "doctor": "what stands in the way of a search on this machine or cluster",
    "schema": "the JSON schema of a config, for editors",
}
"""Name -> one line of help; the file is the name with `_` for `-`."""
