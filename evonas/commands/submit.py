"""`evonas submit CONFIG --address URL --run DIR`."""

import argparse

from evonas.commands.arguments import add_access, add_import, add_set, imported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="YAML file")
    parser.add_argument(
        "--address", required=True, metavar="URL", help="the cluster's dashboard, http://HOST:8265 or https://..."
    )
    parser.add_argument("--run", required=True, metavar="DIR", help="s3://... or an absolute path on the head")
    parser.add_argument("--follow", action="store_true", help="show the search until it ends; ctrl-C detaches")
    parser.add_argument("--insecure", action="store_true", help="also on a cluster that takes jobs from anybody")
    add_access(parser)
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.submit.access import access
    from evonas.submit.submission import submit

    return submit(
        options.config,
        options.address,
        options.run,
        options.line,
        overrides=options.overrides,
        modules=imported(options.modules),
        follow=options.follow,
        insecure=options.insecure,
        access=access(options.headers, options.cacert),
    )
