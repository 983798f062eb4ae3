"""The record of `rolecall.schemas.record`, under the name that `streams` uses."""

from rolecall.schemas.record import Record

__all__ = ["Record"]
