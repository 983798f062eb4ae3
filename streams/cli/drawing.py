"""The rich console, for what is drawn and drawn again: tables that grow, progress bars."""

import sys

from rich.console import Console


def drawing_console(*, stderr: bool = False) -> Console:
    """Writes past the guard of the terminal, because a drawing moves the cursor.

    So every text from outside has to go through `visible` first.
    """
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=getattr(stream, "unguarded", None) or stream, highlight=False)
