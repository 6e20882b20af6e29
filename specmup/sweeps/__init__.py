"""Sweeps of language models: grids of runs that are kept one by one and survive being stopped."""
