"""Keras itself, on torch: the one place where it is imported."""

from __future__ import annotations

from importlib.util import find_spec

from riata.errors import InputError

__all__ = ["keras"]

SET = "write os.environ['KERAS_BACKEND'] = 'torch' before the first import of keras"

if find_spec("keras") is None:
    raise InputError("riata.keras without Keras; expected keras >= 3.5; type: pip install 'riata[keras]'")
try:
    import keras  # type: ignore[import-untyped,unused-ignore]
except ImportError as error:
    raise InputError(f"Keras does not start ({error}); expected its torch backend; {SET}") from error
if keras.backend.backend() != "torch":
    raise InputError(f"Keras on {keras.backend.backend()}; expected its torch backend; {SET}")
