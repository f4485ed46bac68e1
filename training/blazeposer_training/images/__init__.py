"""Pools of labelled photos, and the training pictures made of them."""
