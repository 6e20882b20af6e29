"""The book's experiments, each at named scales: ``python -m experiments`` lists them."""
