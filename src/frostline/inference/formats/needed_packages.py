"""What formats of exports need beside Frostline: found missing before anything is loaded."""

from importlib.util import find_spec

from frostline.errors import ConfigError

ONNX = ("onnx", "onnxscript", "onnxruntime")
INSTALL = "pip install 'frostline[export]'"
# An MLflow model is an ONNX file in a folder of MLflow's.
_NEEDED = {"onnx": ONNX, "mlflow": ONNX}


def check_packages(form: str, given: str) -> None:
    """Refuse a format whose packages are not installed.

    Args:
        form: The format, such as `onnx`.
        given: What asks for it, as it was typed.

    Raises:
        ConfigError: If a package is missing.
    """
    missing = [each for each in _NEEDED.get(form, ()) if find_spec(each) is None]
    if missing:
        raise ConfigError(
            f"{given}: it makes an ONNX file with {', '.join(missing)}, not installed here",
            todo=INSTALL,
        )
