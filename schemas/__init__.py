"""Event contracts: pydantic v2 models, one file per noun."""
