"""What chapters read out of stored results."""
