"""Benchmarks: each module with a function ``ratios`` measures ratios of times within one run.

``python -m benchmarks`` runs them all and prints one table.
"""
