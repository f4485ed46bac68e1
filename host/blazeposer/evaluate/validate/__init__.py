"""`blazeposer validate` runs every form of the network on the same images, and reports the differences."""
