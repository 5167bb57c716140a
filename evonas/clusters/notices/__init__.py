"""A machine that is about to be taken away, told to Ray, because nothing in Ray listens for it.

`python -m evonas.clusters.notices aws` beside Ray watches for what the cloud says and drains the machine's node, with
the deadline: it gets no more work, and what can end in the rest of the time does. On Kubernetes the end of a pod is
the notice: `... notices now --seconds 12` before the pod is stopped.
"""
