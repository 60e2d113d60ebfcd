"""Training and evaluation: annotated pictures in, weights and their quality out."""
