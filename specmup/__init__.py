"""Spectral conditions for feature learning as width and depth grow.

From the bottom up: ``theory`` derives exact orders, ``norms`` measures sizes, ``models`` holds the
networks, ``parametrization`` turns orders into numbers for one of them, ``training`` and ``sweeps``
run it.
"""

__version__ = "0.1.0"
