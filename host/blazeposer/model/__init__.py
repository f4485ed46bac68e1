"""What a model file holds, needs and costs, read without running it."""
