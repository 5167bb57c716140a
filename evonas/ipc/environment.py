"""Which variables of the environment a child gets that runs what came from elsewhere: a driver's may hold secrets."""

import os
import re
from collections.abc import Collection

PASSED = re.compile(
    r"(PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|LANG|LANGUAGE|LC_\w+|TMPDIR|CC|CXX|VIRTUAL_ENV|CONDA_PREFIX|HOSTNAME)|"
    r"(PYTHON|LD_|DYLD_|XDG_|MALLOC_|CUDA_|CUBLAS_|CUDNN_|NVIDIA_|NCCL_|ROCR_|HIP_|HSA_|MIOPEN_|OMP_|GOMP_|KMP_|MKL_|DNNL_|"
    r"OPENBLAS_|NUMEXPR_|VECLIB_|NUMBA_|TORCH|PYTORCH_|TRITON_|ATEN_|KINETO_|ORT_|OPENVINO_|COVERAGE_|SSL_CERT_)\w*"
)
"""What Python, compilers and numerical libraries are steered by."""
SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIAL|API_?KEY|ACCESS_?KEY|PRIVATE", re.IGNORECASE)


def passed(names: Collection[str] = ()) -> dict[str, str]:
    """Returns the variables that a worker needs.

    Args:
        names: Those that the user's own code needs besides.
    """
    return {
        name: text
        for name, text in os.environ.items()
        if name in names or (PASSED.fullmatch(name) and not SECRET.search(name))
    }


def without_secrets() -> dict[str, str]:
    """Returns all variables but those whose names say that they are secret."""
    return {name: text for name, text in os.environ.items() if not SECRET.search(name)}
