"""Everything about tflite files: reading, checking, measuring and running.

graph.py        the operators and tensors of a file
rewrite.py      changed copies of a file
arena.py        the working memory that TensorFlow Lite Micro plans
cost.py         the work of each layer, its instructions and its time on a camera's CPU
firmware.py     the operations that OpenMV's firmware can load
manifest.py     the manifest beside a file
check.py        the prediction whether a board loads a file, and the check against the contract
npu.py          compilation for boards with an NPU
interpreter.py  the runtimes that run a file
trial.py        a trial run of a file in a separate process
"""
