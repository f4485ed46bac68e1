"""The subcommands of `blazeposer` that have no package of their own."""
