"""Fakes for every seam, shipped and typed."""
