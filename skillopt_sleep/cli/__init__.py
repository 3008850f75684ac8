"""The `skillopt-sleep` command."""
