"""`blazeposer validate`: run every form of the network on the same images, and report the differences."""
