"""Systems: runs, models and files of translations under one interface."""
