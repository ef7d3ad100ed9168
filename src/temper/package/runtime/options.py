"""How a package is served, as options of a command line."""

import argparse

KEY = "PACKAGE_API_KEY"  # of the environment


def add_options(parser: argparse.ArgumentParser) -> None:
    """Describe the server's options to argparse."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8080, help="(default: 8080; 0 takes a free one)")
    parser.add_argument("--max-batch-tokens", type=int, help="tokens of one call of the model (default: as measured)")
    parser.add_argument("--max-batch-rows", type=int, help="rows of one call of the model (default: as measured)")
    parser.add_argument(
        "--max-delay-ms", type=float, default=0.0, help="an idle server waits so long for company (default: 0)"
    )
    parser.add_argument(
        "--processes",
        type=int,
        help="that take requests (default: 1 beside a model on the CPU; with a GPU half of the processors, 8 at most)",
    )
    parser.add_argument("--max-waiting", type=int, default=2048, help="rows that wait; beyond it 429 (default: 2048)")
    parser.add_argument("--max-rows", type=int, default=1024, help="rows of one request (default: 1024)")
    parser.add_argument("--max-body-mib", type=float, default=8.0, help="of one request (default: 8)")
    parser.add_argument("--timeout-s", type=float, default=10.0, help="for a body, and for an answer (default: 10)")
    parser.add_argument(
        "--api-key-file", help=f"a file with the key that callers have to send (default: ${KEY}, or none is asked)"
    )
    parser.add_argument("--quiet", action="store_true", help="no line for each request")
