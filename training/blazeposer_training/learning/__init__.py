"""Training: recipes, losses, the three stages."""
