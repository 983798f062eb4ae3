"""`python -m rolecall.training`: what `rolecall train`, `retrain`, `evaluate`, `audit` and `feedback` run."""

import os
import signal
import sys

INTERRUPTED = 130


def main() -> None:
    """Ctrl-C ends with 130 at once. Nothing more is saved: the last finished epoch is on disk already."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have set it to be ignored
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from rolecall.training.cli import main as cli

    cli.main(sys.argv[1:])


if __name__ == "__main__":
    main()
