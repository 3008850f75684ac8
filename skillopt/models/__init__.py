"""Models: text in, text out, over the network or from a script."""
