"""From float weights to an INT8 tflite file."""
