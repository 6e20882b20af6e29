"""Whose rules are these? Anybody's training code read off at several sizes, and judged."""
