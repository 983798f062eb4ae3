"""Offline training: from ontologies and feedback to a model directory."""
