"""Speed and quality figures. Every bench prints a table and ends with one JSON object."""
