"""The one style, and the figures that several users draw."""

from specmup.extras import require_lab

require_lab(__name__)
