"""The CloudEvents headers of every record."""

from datetime import datetime


def cloud_event(event_id: str, kind: str, occurred_at: datetime) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 attributes in the Kafka protocol binding's binary mode."""
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event_id.encode()),
        ("ce_type", kind.encode()),
        ("ce_source", b"/rolecall"),
        ("ce_time", occurred_at.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
