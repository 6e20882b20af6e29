"""Networks whose every multiplier is explicit."""
