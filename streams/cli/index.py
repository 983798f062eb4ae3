"""`rolecall index`: the embedded index in the foreground, for workers on a broker of your own."""

import signal
from pathlib import Path

import click

from rolecall.streams.cli.console import FAILED, INTERRUPTED, explained, fail
from rolecall.streams.cli.up import INTERRUPTS, exports, raise_interrupt
from rolecall.streams.embedded.stack import edge_index


@click.command()
@click.option("--directory", type=click.Path(path_type=Path), default=Path(".rolecall"), show_default=True,
              help="Where the index is kept, and its socket.")  # fmt: skip
def index(directory: Path) -> None:
    """Serve the embedded index until Ctrl-C, for workers on this machine.

    Use it with a Kafka of your own, in place of a Qdrant server. It holds up to about 100,000 vacancies and
    candidates. Prints the lines to export for the workers. The index stays in --directory.

    \b
    Example:  rolecall index
              ROLECALL_BROKER=kafka:9092 ROLECALL_INDEX=edge rolecall worker
    """
    with explained():
        for number in INTERRUPTS:
            signal.signal(number, raise_interrupt)
        socket = directory / "index.sock"
        try:
            with edge_index(directory / "index", socket) as process:
                environment = {"ROLECALL_INDEX": "edge", "ROLECALL_EDGE_SOCKET": str(socket.absolute())}
                click.echo("\n".join(exports(environment)))
                click.echo("Ready: the index is served; Ctrl-C stops it.", err=True)
                code = process.wait()
        except KeyboardInterrupt as stopped:
            click.echo("stopped", err=True)
            raise SystemExit(INTERRUPTED if stopped.args == (signal.SIGINT,) else 0) from None
        fail(f"the index process ended with exit code {code}; its message is above", FAILED)
