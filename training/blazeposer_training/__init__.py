"""Train BlazePoser's network. The exported network runs without this package.

- `images/` reads the data sets for training (pools) and makes training images.
- `network/` defines the architecture and reads its weights.
- `learning/` contains the recipes, the losses and the stages of a training.
- `int8/` quantizes the network and writes its file. `int8/` also has the stages of `blazeposer validate` that need
  torch or TensorFlow.
- `labels/` labels a user's own photos with a teacher network.
- `studies/` makes the measurements behind decisions in the design.
"""
