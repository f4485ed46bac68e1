"""Define the subcommands of `blazeposer` with their options and their output. Other packages do the work of the
subcommands."""
