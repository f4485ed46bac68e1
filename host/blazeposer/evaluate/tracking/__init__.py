"""What `blazeposer.faces` gains, measured: steady numbers, the closer look, positions."""
