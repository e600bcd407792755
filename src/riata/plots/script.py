"""What a page with figures runs: the drawing libraries, and values that cannot break out of their script tag."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from typing import Any

ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def json_for_script(value: Any) -> str:
    """Return strict JSON that may stand between script tags, whatever its texts hold.

    Raises
    ------
    ValueError
        If a number is not finite.

    Examples
    --------
    >>> print(json_for_script({"name": "</script>"}))
    {"name":"\\u003c/script\\u003e"}
    """
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(ESCAPES)


@cache
def bundle() -> str:
    """Return the JavaScript of Vega, Vega-Lite and Vega-Embed; it gives the page ``vegaEmbed`` and nothing else."""
    import vl_convert

    code = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return "(() => {" + code.replace("</script", "<\\/script").replace("<!--", "<\\!--") + "\n})();"


def sha256_source(script: str) -> str:
    """Return the source expression that lets a Content-Security-Policy run this inline script and no other.

    >>> sha256_source("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
