"""Fine-tune English→Arabic translation models for conflict news, and prove what it changed."""

__version__ = "0.1.0"
