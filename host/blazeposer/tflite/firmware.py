"""List the operations that OpenMV firmware 5.0 registers in TensorFlow Lite Micro (`lib/tflm/tflm_backend.cc` of
openmv/openmv). The names come from the tflite schema. The firmware cannot load other operations, for example POW, TILE,
TOPK_V2, GELU or TFLite_Detection_PostProcess."""

OPERATIONS = frozenset(
    """
    ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND BROADCAST_ARGS
    BROADCAST_TO CALL_ONCE CAST CEIL CONCATENATION CONV_2D COS CUMSUM DEPTH_TO_SPACE DEPTHWISE_CONV_2D DEQUANTIZE DIV
    ELU EMBEDDING_LOOKUP EQUAL EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER
    GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOG_SOFTMAX LOGICAL_AND
    LOGICAL_NOT LOGICAL_OR LOGISTIC MAX_POOL_2D MAXIMUM MEAN MINIMUM MIRROR_PAD MUL NEG NOT_EQUAL PACK PAD PADV2 PRELU
    QUANTIZE READ_VARIABLE REDUCE_MAX RELU RELU6 RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR ROUND RSQRT SELECT_V2
    SHAPE SIN SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE
    STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK VAR_HANDLE WHILE
    ZEROS_LIKE
    """.split()  # noqa: SIM905 - a list of quoted names is harder to read
)
CUSTOM_OPERATIONS = frozenset(
    """
    CIRCULAR_BUFFER SignalDelay SignalEnergy SignalFftAutoScale SignalFilterBank SignalFilterBankLog
    SignalFilterBankSpectralSubtraction SignalFilterBankSquareRoot SignalFramer SignalIrfft SignalOverlapAdd SignalPCAN
    SignalRfft SignalStacker SignalWindow
    """.split()  # noqa: SIM905
)
"""Names under which TFLite Micro's `MicroMutableOpResolver` registers the operations for sound."""
ETHOS_U = "ethos-u"
"""Custom operation of a file that is compiled for an Ethos-U. Only the AE3's firmware registers this operation."""

TYPES = ("int8", "uint8", "int16", "uint16", "float32")
"""Types that inputs and outputs may have (`ml_backend_valid_dataype`)."""
MAX_RANK = 4
"""Largest number of dimensions of inputs and outputs (`ULAB_MAX_DIMS`, `py_ml_process_output`)."""
