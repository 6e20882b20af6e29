"""Resumable runs: how their pieces are made, kept, and stored as results with their origin."""
