"""Offline: ontologies and feedback in, a model directory out."""
