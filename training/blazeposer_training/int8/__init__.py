"""Turn float weights into an INT8 tflite file."""
