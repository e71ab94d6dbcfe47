"""Whatever translates, by one name: runs, models, files of translations."""
