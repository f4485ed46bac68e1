"""The subcommands of `blazeposer`: options and output; what they do is in the packages below."""
