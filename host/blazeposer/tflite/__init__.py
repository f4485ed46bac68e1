"""Read, check, measure and run tflite files.

graph.py        reads the operators and tensors of a file
rewrite.py      makes changed copies of a file
arena.py        computes the working memory that TensorFlow Lite Micro plans for a file
cost.py         counts the work of each layer, and estimates its instructions and its time on a camera's CPU
firmware.py     lists the operations that OpenMV's firmware can load
manifest.py     reads and writes the manifest beside a file
check.py        predicts whether a board loads a file, and checks a file against the contract
npu.py          compiles files for boards with an NPU
interpreter.py  runs a file in one of three runtimes
trial.py        tries a file in a separate process
"""
