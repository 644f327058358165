"""What may be wrong with a GPU or a model, found before work begins and said for people."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Callable

from pipeline.errors import ModelError
from worker.models import ModelChoice

OUT_OF_MEMORY = "out of memory"  #: "CUDA failed with error out of memory"
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


def explained(error: Exception, choice: ModelChoice) -> ModelError:
    """What CTranslate2 complained of, for people."""
    said = str(error)
    library = re.search(r"(?:lib)?(?:cublas|cudnn|cudart)[\w.]*", said)
    if library:
        return ModelError(f"the GPU library {library[0]} can't be loaded", WHERE)
    if OUT_OF_MEMORY in said:
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
    if "CUDA" in said:
        return ModelError(f"the GPU can't be used: {said}", "see nvidia-smi, or set device to 'cpu'")
    return ModelError(
        f"the model in {choice.path} can't be used: {said}", "choose another model under [transcribe]"
    )
