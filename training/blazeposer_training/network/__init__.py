"""Define the float network's architecture, modules, weights and list of operations."""
