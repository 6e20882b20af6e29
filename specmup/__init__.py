"""Spectral conditions for feature learning as width and depth grow.

From the bottom up: ``theory`` derives exact orders, ``norms`` measures sizes, ``models`` holds the
networks, ``apply`` turns orders into numbers for one network, ``lab`` runs the experiments.
"""

__version__ = "0.1.0"
