"""Experiments: data, training, sweeps, and what is measured in them."""
