"""Train BlazePoser's network. The trained network runs without the package `blazeposer_training`.

- `images/` reads the data sets for training (pools) and makes training images.
- `network/` defines the architecture of the network and reads the network's weights.
- `learning/` trains the network, and contains the recipes and the losses.
- `int8/` quantizes the network and writes the tflite file. `int8/` also contains the checks of `blazeposer validate`
  that need torch or TensorFlow.
- `labels/` labels a user's own photos with a teacher network.
"""
