"""The root of every error that rolecall raises on purpose."""


class RolecallError(Exception):
    """The text names the thing, the value and the way out. A command that fails ends with `exit_code`."""

    exit_code = 2  # wrong usage, settings or model, or no broker answers; 1: tried, and failed
