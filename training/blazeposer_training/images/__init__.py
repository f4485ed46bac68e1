"""Read pools, which are data sets of labelled photos, and make training images of them."""
