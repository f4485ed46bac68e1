"""`blazeposer validate`: the same pictures through every form of the network, and a report of where they part."""
