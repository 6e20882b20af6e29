"""From measured rows to numbers: intervals, exponents, optima, transfer."""
