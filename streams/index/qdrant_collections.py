"""What a collection on a Qdrant server must be, whoever made it."""

from collections.abc import Mapping

from qdrant_client import models

from rolecall.streams.errors import IndexLimited, IndexMismatch
from rolecall.streams.index.areas import MAX_DEPTH
from rolecall.streams.index.conditions import PAYLOAD_INDEXES
from rolecall.streams.index.qdrant_errors import RAISE_IT

INSERTED_TOGETHER = 64  # points of one operation
_LEAST: Mapping[str, int] = {  # limits of strict mode, and what the largest event needs
    "max_query_limit": MAX_DEPTH,
    "search_max_hnsw_ef": 128,
    "search_max_batchsize": 64,
    "upsert_max_batchsize": INSERTED_TOGETHER,
    "filter_max_conditions": 256,
    "condition_max_size": 512,
    "max_payload_index_count": len(PAYLOAD_INDEXES),
}


def check_collection(name: str, config: models.CollectionConfig, dims: int) -> None:
    """Raises `IndexMismatch` if it cannot hold our vectors exactly, `IndexLimited` if its limits are low."""
    stored = config.params.vectors
    if not isinstance(stored, models.VectorParams):
        raise IndexMismatch(f"collection {name} has named vectors; remove it and replay the topics")
    if (stored.size, stored.distance) != (dims, models.Distance.DOT):
        raise IndexMismatch(
            f"collection {name} holds {stored.distance.value} vectors of {stored.size} dimensions, not"
            f" Dot vectors of {dims}; use the model that wrote it, or remove it and replay"
        )
    if stored.datatype not in (None, models.Datatype.FLOAT32) or stored.multivector_config is not None:
        kind = "multivectors" if stored.multivector_config else stored.datatype and stored.datatype.value
        raise IndexMismatch(
            f"collection {name} stores {kind}, and scores need float32; remove it, run `rolecall rebuild`"
        )
    quantized = stored.quantization_config or config.quantization_config
    if quantized is not None and not isinstance(quantized, models.ScalarQuantization):
        raise IndexMismatch(
            f"collection {name} has {type(quantized).__name__}, which loses too many neighbours even when"
            ' rescored; turn it off: PATCH /collections/NAME {"quantization_config": "Disabled"}, or use'
            " scalar quantization"
        )
    if config.strict_mode_config is not None and config.strict_mode_config.enabled:
        _check_limits(name, config.strict_mode_config)


def _check_limits(name: str, strict: models.StrictModeConfigOutput) -> None:
    low = [
        f"{limit}={has}, {least} is needed"
        for limit, least in _LEAST.items()
        if (has := getattr(strict, limit)) is not None and has < least
    ]
    for allowed in ("search_allow_exact", "unindexed_filtering_update"):
        if getattr(strict, allowed) is False:
            low.append(f"{allowed}=false, true is needed")
    if low:
        raise IndexLimited(f"strict mode of collection {name}: {'; '.join(low)}; {RAISE_IT}")
