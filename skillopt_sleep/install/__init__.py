"""Wiring the night into the clients people work in, and taking every byte of it out again."""
