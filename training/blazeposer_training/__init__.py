"""The training of BlazePoser's network. The exported network runs without this package.

images/     pools and training images
network/    the architecture and its weights
learning/   recipes, losses, stages
int8/       quantization and the file; the stages of `blazeposer validate` that need torch or TensorFlow
labels/     a teacher network that labels a user's own photos
studies/    measurements behind decisions in the design
"""
