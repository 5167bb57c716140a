"""`evonas doctor [CONFIG]`."""

import argparse

from evonas.commands.arguments import add_access, add_format, add_import, add_set, imported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", nargs="?", help="without it: this machine and the cluster alone")
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        help="HOST:PORT of a cluster's head, auto, local, or http://... of its dashboard",
    )
    parser.add_argument("--run", metavar="DIR", help="run folder or s3://... (default: that of evonas search)")
    add_format(parser)
    add_access(parser)
    add_set(parser)
    add_import(parser)


def run(options: argparse.Namespace) -> int:
    from evonas.doctor import examine, examine_there, report
    from evonas.errors import UserError
    from evonas.submit.access import access

    modules = imported(options.modules)
    if (options.address or "").startswith("http"):
        return examine_there(
            options.config,
            options.address,
            options.run,
            options.overrides,
            modules,
            form=options.format,
            access=access(options.headers, options.cacert),
        )
    if options.headers or options.cacert:
        raise UserError("--header and --cacert are for http:// or https:// of a cluster's dashboard")
    findings = examine(
        options.config, overrides=options.overrides, address=options.address, run=options.run, modules=modules
    )
    return report(findings, options.format)
