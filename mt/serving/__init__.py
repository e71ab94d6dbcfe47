"""`mt serve`: systems behind a page and a JSON endpoint."""
