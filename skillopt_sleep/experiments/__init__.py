"""The packaged proof and demo: a simulated developer, written as real transcripts."""
