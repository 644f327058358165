"""What may be wrong with a GPU or a model, found before work begins and said for people."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable

from pipeline.errors import GpuFault, ModelError, RecognitionError
from worker.models import ModelChoice

#: "CUDA failed with error out of memory", "cuBLAS failed with status CUBLAS_STATUS_ALLOC_FAILED"
_NO_ROOM = re.compile(r"out of memory|_STATUS_ALLOC_FAILED")
LIBRARIES = ("libcublas.so.12", "libcudnn_ops.so.9")  #: of CTranslate2 from 4.5 on
WHERE = (
    "CTranslate2 needs cuBLAS for CUDA 12 and cuDNN 9 (nvidia-cublas-cu12 and nvidia-cudnn-cu12 9 from PyPI)"
    " where the loader finds them when Python starts (LD_LIBRARY_PATH); or set device to 'cpu'"
)


def check_libraries(
    open_library: Callable[[str], object] = ctypes.CDLL, platform: str = sys.platform
) -> None:
    """Without cuDNN, CTranslate2 aborts the whole process; so it is sought first. Raises ModelError."""
    for name in LIBRARIES if platform == "linux" else ():
        try:
            open_library(name)
        except OSError as error:
            raise ModelError(f"the GPU library {name} can't be loaded: {error}", WHERE) from None


def lacks_room(error: BaseException | None) -> bool:
    """Whether CTranslate2 complained of too little memory."""
    return isinstance(error, RuntimeError) and bool(_NO_ROOM.search(str(error)))


def explained(error: Exception, choice: ModelChoice, *, loaded: bool) -> ModelError | RecognitionError:
    """What CTranslate2 complained of, for people; while it loads a model, or in work with one that is loaded.

    A model that is loaded works, on a GPU even tried out: what fails then may be the audio's doing.
    """
    fault = _fault(str(error), choice)
    if not loaded:
        return fault or ModelError(
            f"the model in {choice.path} can't be used: {error}", "choose another model under [transcribe]"
        )
    if fault:
        return GpuFault(fault.message, fault.hint)
    return RecognitionError(
        f"the model '{choice.name}' failed at this audio: {error}",
        "should it fail again, choose another model under [transcribe]",
    )


def _fault(said: str, choice: ModelChoice) -> ModelError | None:
    """What is wrong with the GPU, if that is it."""
    library = re.search(r"(?:lib)?(?:cublas|cudnn|cudart)[\w.]*", said)
    if library:
        return ModelError(f"the GPU library {library[0]} can't be loaded", WHERE)
    if _NO_ROOM.search(said):
        return ModelError(
            f"the GPU has too little memory for the model '{choice.name}'",
            "set compute_type under [transcribe] to 'int8_float16', or choose a smaller model",
        )
    if "driver version is insufficient" in said:
        return ModelError(
            "the GPU's driver is older than the CUDA that CTranslate2 was built for",
            "install NVIDIA's driver 525 or newer; or set device under [transcribe] to 'cpu'",
        )
    if "no kernel image" in said:
        return ModelError(
            "CTranslate2 has no code for this GPU",
            "install a newer ctranslate2, or one for an older GPU; or set device under [transcribe] to 'cpu'",
        )
    if re.search("CUDA|cuBLAS|cuDNN", said):
        return ModelError(f"the GPU can't be used: {said}", "see nvidia-smi, or set device to 'cpu'")
    return None
