"""The training: recipes, losses, and the three stages."""
