"""Numbers: scores, significance, fidelity checks and ratings."""
