"""Sweeps of language models: grids of runs that are kept one by one and survive being stopped."""

from specmup.extras import require_lab

require_lab(__name__)
