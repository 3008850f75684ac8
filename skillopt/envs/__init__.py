"""Environments: where tasks come from, and how they are scored."""
