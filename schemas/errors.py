"""The root of every error that rolecall raises on purpose."""


class RolecallError(Exception):
    """Its text names the thing, the value and the way out. `exit_code` is what a command ends with."""

    exit_code = 2  # wrong usage, settings or model, or the broker is not there; 1: tried, and failed
