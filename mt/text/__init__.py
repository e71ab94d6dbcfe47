"""What is truly Arabic or English, and text files line by line."""
