"""Define the facts and the calculations that the other packages of `blazeposer` use."""
