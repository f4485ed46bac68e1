"""Label a user's own photos with a teacher network from PyPI."""
