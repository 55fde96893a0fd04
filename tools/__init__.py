"""Scripts that make what the project ships, and try how it holds: run them with `python -m tools.NAME`."""
