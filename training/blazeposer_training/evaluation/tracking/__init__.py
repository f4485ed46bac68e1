"""What `blazeposer.tracking` gains, measured: steady numbers, the closer look, positions."""
