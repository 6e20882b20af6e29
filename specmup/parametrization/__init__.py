"""Rules turned into numbers for one model."""
