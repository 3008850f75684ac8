"""What a secret looks like, one module a way of telling: by its own shape, or by what stands beside it."""
