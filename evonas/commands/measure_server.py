"""`evonas measure-server`. Needs no torch."""

import argparse

from evonas.commands.arguments import positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1; 0.0.0.0: all)")
    parser.add_argument("--port", type=int, default=7071, help="default: 7071; 0: any that is free")
    parser.add_argument(
        "--token-file", metavar="FILE", help="holds the token (default: $EVONAS_TOKEN, else one is made)"
    )
    parser.add_argument("--max-mb", type=int, default=512, help="largest request (default: 512)")
    text = "longest that a network may take (default: 600)"
    parser.add_argument("--max-seconds", type=positive, default=600, help=text)


def run(options: argparse.Namespace) -> int:
    from evonas.measuring.remote.server import main

    return main(options.host, options.port, options.token_file, options.max_mb, options.max_seconds)
