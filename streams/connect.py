"""From settings to a client of the index. Engines are imported only when they are used."""

from rolecall.streams.index.port import Index
from rolecall.streams.settings import Settings


def connect_index(settings: Settings, version: str, dims: int) -> Index:
    """The index that the settings name. Nothing is sent before its first method is called."""
    if settings.index == "edge":
        from rolecall.streams.index.edge.client import QdrantEdge

        return QdrantEdge(settings.edge_socket, version, dims, settings.index_timeout_seconds)
    from rolecall.streams.index import qdrant_server

    return qdrant_server.connect(
        settings.qdrant_url,
        api_key=settings.qdrant_api_key.get_secret_value() if settings.qdrant_api_key else None,
        ca=settings.qdrant_ca,
        version=version,
        dims=dims,
        timeout_seconds=settings.index_timeout_seconds,
    )
