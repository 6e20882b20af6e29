"""Loops that train residual networks and language models."""

from specmup.extras import require_lab

require_lab(__name__)
