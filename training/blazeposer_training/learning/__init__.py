"""Train the float network in three stages, with the settings of a recipe file."""
