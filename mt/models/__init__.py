"""Models and how text passes through them."""
