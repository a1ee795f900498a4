"""What a failed run's text says of the runtime itself, in the words of PyTorch, CUDA and the operating system.

None of these is in the task, whatever part of the runtime met it.
"""

import re

_OUT_OF_MEMORY = re.compile(
    r"OutOfMemory|out of memory|MemoryError|can't allocate memory|not enough memory|CUBLAS_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)

_BROKEN = re.compile(
    r"CUDA error|CUDA driver error|AcceleratorError|device-side assert|illegal memory access|launch failure"
    r"|CUDA-capable device|cuDNN|CUBLAS_STATUS|HIP error|No space left on device|Input/output error"
    r"|Read-only file system|Transport endpoint is not connected|Too many open files",
    re.IGNORECASE,
)


def is_out_of_memory(text: str) -> bool:
    """Whether memory, of the GPU or the host, did not suffice: the same job may well run next time, when other models
    have left, or on a larger GPU."""
    return _OUT_OF_MEMORY.search(text) is not None


def is_broken(text: str) -> bool:
    """Whether no job can succeed there before the runtime is started again or its disk is seen to: after a CUDA error
    the process's whole context is lost."""
    return _BROKEN.search(text) is not None
