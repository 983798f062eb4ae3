"""The root of every error that rolecall raises on purpose, and the one that a record causes."""


class RolecallError(Exception):
    """The text names the thing, the value and the way out. A command that fails ends with `exit_code`."""

    exit_code = 2  # wrong usage, settings or model, or no broker answers; 1: tried, and failed


class Unacceptable(RolecallError, ValueError):
    """The record breaks the contract in a way that the schema alone cannot say."""

    exit_code = 1
