"""What all diagrams are drawn with: a canvas, its colours, and orders as a person writes them."""
