"""The network in float: its architecture, its modules, where its weights come from, its graph of operations."""
