"""Errors of qdrant-client, by what a worker does about them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import grpc  # type: ignore[import-untyped]
import httpx
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from rolecall.streams.errors import IndexGone, IndexLimited, IndexMismatch, IndexUnavailable

_NOT_FOUND = 404
_GONE = (
    "the collection was deleted, or no worker has run with this model: `rolecall rebuild` makes it again "
    "from the topics, or set ROLECALL_MODEL to the model that the workers use"
)
_LIMIT = re.compile(r"Help:|strict mode|limit", re.IGNORECASE)
RAISE_IT = (
    "this is a limit of the server, which many events meet: nothing was dead-lettered. Raise it, or turn "
    'strict mode off: PATCH /collections/NAME {"strict_mode_config": {"enabled": false}}'
)
_TRY_AGAIN = {408, 429}
_NOT_LET_IN = {401, 403, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}
_REFUSED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
}
_KEY = "set ROLECALL_QDRANT_API_KEY to a key that may write"
_PASSING = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}


@contextmanager
def translated() -> Iterator[None]:
    """Raises temporary errors as `IndexUnavailable`. Other errors are defects and are not changed."""
    try:
        yield
    except ResourceExhaustedResponse as error:
        raise IndexUnavailable(f"Qdrant: {error}") from error
    except ResponseHandlingException as error:  # of an answer that cannot be read, it quotes the answer
        read = isinstance(error.source, httpx.HTTPError | OSError)
        reason = str(error) if read else type(error.source).__name__
        raise IndexUnavailable(f"Qdrant: {reason}") from error
    except UnexpectedResponse as error:
        status = error.status_code or 500
        if status == _NOT_FOUND:
            raise IndexGone(f"Qdrant: {error}; {_GONE}") from error
        if status in _NOT_LET_IN and "Help:" in str(error):  # older servers forbid what strict mode refuses
            raise IndexLimited(f"Qdrant: {error}; {RAISE_IT}") from error
        if status in _NOT_LET_IN:
            raise IndexMismatch(f"Qdrant: {error}; {_KEY}") from error
        if status < 500 and status not in _TRY_AGAIN:
            if _LIMIT.search(str(error)):
                raise IndexLimited(f"Qdrant: {error}; {RAISE_IT}") from error
            raise
        raise IndexUnavailable(f"Qdrant: {error}") from error
    except grpc.aio.AioRpcError as error:
        if error.code() in _REFUSED and _LIMIT.search(error.details() or ""):
            raise IndexLimited(f"Qdrant: {error.details()}; {RAISE_IT}") from error
        if error.code() is grpc.StatusCode.NOT_FOUND:
            raise IndexGone(f"Qdrant: {error.details()}; {_GONE}") from error
        if error.code() in _NOT_LET_IN and "Help:" in (error.details() or ""):
            raise IndexLimited(f"Qdrant: {error.details()}; {RAISE_IT}") from error
        if error.code() in _NOT_LET_IN:
            raise IndexMismatch(f"Qdrant: {error.details()}; {_KEY}") from error
        if error.code() not in _PASSING:
            raise
        raise IndexUnavailable(f"Qdrant: {error.code().name}, {error.details()}") from error
