"""From measured rows to numbers: intervals, exponents, optima, transfer."""

from specmup.extras import require_lab

require_lab(__name__)
