"""A model looked at beside its base: parameters, their places, their sizes, their start."""
