def stat(path):
    if path != "/rom/blazeposer.tflite":
        raise OSError(2)
