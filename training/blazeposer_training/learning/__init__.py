"""Training: recipes, losses, the three stages, several processes."""
