"""Define the float network: its architecture, its modules, its weights, and its graph of operations."""
