"""Labels for one's own photos, by a teacher from PyPI."""
