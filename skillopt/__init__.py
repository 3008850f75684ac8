"""Train one markdown skill document against scored rollouts of a frozen agent."""

__version__ = "0.1.0"
