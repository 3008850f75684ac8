"""Scorers: what turns a trajectory into a score."""
