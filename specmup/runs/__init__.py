"""Resumable runs: how their pieces are made, kept, and stored as results with their origin."""

from specmup.extras import require_lab

require_lab(__name__)
