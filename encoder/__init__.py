"""From text to embeddings. On the serving path, only this package uses torch."""
