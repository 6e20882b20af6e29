"""The book's experiments, each at named scales: ``python -m specmup.experiments`` lists them."""
