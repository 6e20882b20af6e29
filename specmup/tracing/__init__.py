"""What a model's forward pass does: every operation, recorded without memory for the parameters."""
