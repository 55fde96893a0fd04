"""Protocols, statistics and tables behind evaluate.py."""
