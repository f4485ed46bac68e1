"""Read, check, measure and run tflite files.

- `graph.py` reads the operations and tensors of a tflite file.
- `rewrite.py` makes changed copies of a tflite file.
- `arena.py` computes the working memory that TensorFlow Lite Micro needs for a tflite file.
- `cost.py` counts the work of each layer, and estimates a network's instructions and time on a camera's CPU.
- `firmware.py` lists the operations that OpenMV's firmware can load.
- `manifest.py` reads and writes the manifest beside a tflite file.
- `check.py` predicts whether a board can load a tflite file, and checks a tflite file against the model contract.
- `npu.py` compiles tflite files for boards with an NPU.
- `interpreter.py` runs a tflite file in one of three runtimes.
- `trial.py` runs an unknown tflite file once in a separate process, because a damaged file can end a process.
"""
