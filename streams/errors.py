"""Every error of `streams`, as one tree.

RolecallError
├── TransientError          the next try may succeed; `retry.patiently` retries
│   ├── IndexUnavailable
│   └── PublishFailed
├── FatalError              the process must end; nothing of the batch was acknowledged
│   ├── GaveUp
│   ├── NotTheEvents
│   ├── IndexMismatch
│   │   ├── IndexGone       a collection that the offsets speak of does not exist
│   │   ├── IndexOlder      the index lacks what the group has committed: an older copy, or another index
│   │   └── IndexLimited    a limit of the server refuses what events need
│   └── PublishRefused
├── Unreachable
│   ├── TopicsMissing
│   ├── TopicsWrong
│   └── NotAllowed
├── NotDeployed
├── RolloutRefused
├── EmbeddedUnavailable
├── PortUnavailable
├── DemoFailed
├── NoReference
├── Unexplainable
├── ExtraMissing            a package of an extra is not installed
├── TooManyToClose
└── Unacceptable            one record breaks the contract
"""

from rolecall.schemas.errors import RolecallError
from rolecall.schemas.errors import Unacceptable as Unacceptable

FAILED = 1  # exit code of a command that tried, and failed


class TransientError(RolecallError):
    """A dependency did not answer, or not in time. The same operation may be tried again."""


class IndexUnavailable(TransientError):
    """The index did not answer, or not in time."""

    exit_code = FAILED


class PublishFailed(TransientError):
    """The broker did not confirm a record. Publishing the whole list again is safe: ids are stable."""


class FatalError(RolecallError):
    """The process must end. Its message explains it; any other exception is logged with its traceback."""


class GaveUp(FatalError):
    """A dependency failed for longer than `retry_seconds`."""

    exit_code = FAILED


class NotTheEvents(FatalError):
    """Many events in a row fail with the same error: a defect or a dependency is the cause, not the data."""

    exit_code = FAILED


class IndexMismatch(FatalError):
    """The stored vectors do not fit this encoder, or the index refuses our key. Retrying will not help."""


class IndexGone(IndexMismatch):
    """A collection does not exist. Only `prepare` creates one, and only where nothing was ever committed."""


class IndexOlder(IndexMismatch):
    """The index lacks events that its group has committed, so it may hold what was erased since."""


class IndexLimited(IndexMismatch):
    """The server has a limit that good events meet. The message names the limit."""


class PublishRefused(FatalError):
    """The broker refuses a record of this size, or this client. Publishing it again will not help."""


class Unreachable(RolecallError):
    """No Kafka broker answers. The message names the address and the way out."""


class TopicsMissing(Unreachable):
    """A broker answers, but it lacks topics. The message names them."""


class TopicsWrong(Unreachable):
    """A topic is set so that states get lost. The message says what to run."""


class NotAllowed(Unreachable):
    """The broker answers, and refuses. The message names the right that is missing."""


class NotDeployed(RolecallError):
    """No deployment has this model: it has no index, and would match with nothing."""


class RolloutRefused(RolecallError):
    """The rollout is not in the state that this step starts from. The message names the state."""

    exit_code = FAILED


class EmbeddedUnavailable(RolecallError):
    """A part of the embedded stack is not installed or did not start."""


class PortUnavailable(RolecallError):
    """The HTTP server cannot listen on its port. The message says what to set."""


class DemoFailed(RolecallError):
    """The worker ended, or found no match."""

    exit_code = FAILED


class NoReference(RolecallError):
    """The model has no record of its training texts to compare with."""

    exit_code = FAILED


class Unexplainable(RolecallError):
    """The index does not hold one of the two entities."""

    exit_code = FAILED


class ExtraMissing(RolecallError):
    """A package is missing. The message names it, and the extra that brings it."""


class TooManyToClose(RolecallError):
    """A full list lacks more than a feed loses in a day, or was not read as a whole. Nothing is closed."""

    exit_code = FAILED
