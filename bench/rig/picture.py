"""Draw the picture of the README: `rolecall demo` in a terminal.

python -m bench.rig.picture docs/figures/demo.svg
"""

import io
import sys
from pathlib import Path

from rich.console import Console

from rolecall.streams.cli.demo import run_demo

COLUMNS = 110


def main() -> None:
    # This console is not a terminal, so the live table is drawn once, at the end.
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), highlight=False)
    console.print("[bold]$ rolecall demo[/bold]")
    run_demo(vacancies=150, candidates=200, seed=7, console=console)
    Path(sys.argv[1]).write_text(console.export_svg(title="rolecall demo"), encoding="utf-8")


if __name__ == "__main__":
    main()
