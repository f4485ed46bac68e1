"""The training of BlazePoser's network; what it exports runs without it.

images/     pools and training images
network/    the architecture and its weights
learning/   recipes, losses, stages
int8/       quantization and the file; the stages of `blazeposer validate` that need torch or TensorFlow
labels/     a teacher for one's own photos
studies/    what was tried before deciding
"""
