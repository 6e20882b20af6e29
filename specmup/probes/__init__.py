"""What is measured inside a network."""
