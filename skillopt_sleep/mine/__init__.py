"""Sessions to recurring tasks, wants and their checks."""
