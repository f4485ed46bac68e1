"""Read pools, which are data sets of labelled photos. Make training images from the photos of the pools."""
