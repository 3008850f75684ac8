"""The `skillopt` command."""
