"""Everything specific to Arabic or English, and text files line by line."""
