"""Atomic files, and where a run's state lives."""
