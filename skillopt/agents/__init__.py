"""Agents: what runs a task with a skill mounted."""
