"""How good a network is: scores, readers of public data sets, the report."""
