"""One reader per client: transcript files to sessions, read-only and lenient."""
