"""Images and text that runs learn from."""
