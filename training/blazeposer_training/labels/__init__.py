"""Label the faces in a user's own photos, with networks from PyPI packages as teachers."""
