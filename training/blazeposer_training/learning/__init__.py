"""Train the network: the recipes, the losses, and the three stages of a training."""
