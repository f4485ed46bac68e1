"""`blazeposer validate`: the same images through every form of the network, and a report of where they part."""
