"""The nightly loop: lessons for a developer's skills, learned from their own transcripts."""
