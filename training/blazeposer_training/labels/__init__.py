"""Labels for a user's own photos, made by a teacher network from PyPI."""
