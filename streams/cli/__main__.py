"""The entry point of `rolecall`.

Ctrl-C ends with 130 at any moment, also while Python still imports. A command that has something to stop
handles the signal itself, in `console.explained`.
"""

import os
import signal
import sys

INTERRUPTED = 130


def main() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have set it to be ignored
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from rolecall.streams.cli.main import rolecall

    sys.exit(rolecall())


if __name__ == "__main__":
    main()
