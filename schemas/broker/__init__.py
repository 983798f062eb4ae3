"""How to reach the broker and how to read it."""
