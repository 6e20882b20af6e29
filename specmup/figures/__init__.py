"""The one style, and the figures that several users draw."""
