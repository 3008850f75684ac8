"""The night by itself: when one is due, what holds it back, and the daemon that runs it."""
