"""The demo: one night on a made-up home, told step by step."""
