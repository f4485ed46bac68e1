"""tflite files: read, judged, measured, run.

graph.py        the operators and tensors of a file
rewrite.py      changed copies of a file
arena.py        the working memory that TensorFlow Lite Micro plans
cost.py         work of each layer, its instructions and its time on a camera's CPU
firmware.py     what OpenMV's firmware loads
manifest.py     the card that lies beside a file
check.py        whether a board loads a file, whether it keeps the contract, and why not
npu.py          compilation for boards with an NPU
interpreter.py  the runtimes that run a file
trial.py        a file tried in a process of its own
"""
