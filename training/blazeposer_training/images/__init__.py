"""Pools of labelled photos, and the training images made of them."""
