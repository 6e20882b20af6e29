"""Benchmarks: each module's ``PARTS`` measure ratios of times within one run.

``python -m benchmarks`` runs them all and prints one table. Promised ratios hold on processors with
AVX-512 and without; what they need is named in the row.
"""
