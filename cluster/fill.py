"""Writes cluster/my-NAME.yaml, a copy of a launch file with your values in it. Nothing goes over the network.

python3 cluster/fill.py cluster/aws.yaml image=NAME/evonas:0.1.0 ami=ami-... group=sg-...
"""

# What to change: nothing. `cluster/cloud.py` finds the values of AWS out; those of other files are words of the user.
import argparse
import sys
from pathlib import Path

from evonas.clusters.template import defaults, own_copy, pairs, slots
from evonas.errors import UserError

KUBERNETES = "apiVersion: ray.io/"
MOVES = "a tag may move, and pods that come later have another image then; NAME@sha256:... of docker push may not"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("file", type=Path, metavar="FILE", help="cluster/aws.yaml, gcp.yaml or one of cluster/kuberay")
    parser.add_argument("values", nargs="*", metavar="KEY=VALUE", help="without any: which there are")
    parser.add_argument("--replace", action="store_true", help="write over a copy that was changed by hand")
    options = parser.parse_args()
    try:
        if not options.values and options.file.is_file():
            text = options.file.read_text()
            print(*(f"{name}=..." for name in slots(text)), *(f"[{k}={v}]" for k, v in defaults(text).items()))
            return 0
        values = pairs(options.values)
        print(own_copy(options.file, values, options.replace))
        if KUBERNETES in options.file.read_text() and "@" not in values["image"]:
            print(f"note: {values['image']}: {MOVES}", file=sys.stderr)
    except UserError as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
