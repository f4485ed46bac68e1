"""The float network: architecture, modules, weights, and its graph of operations."""
