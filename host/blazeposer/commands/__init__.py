"""Define the options and the output of each subcommand. Other packages do the work."""
