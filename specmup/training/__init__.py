"""Loops that train residual networks and language models."""
