"""The Python of the documents runs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def readers_own() -> dict[str, Any]:
    """What README's example takes as given: operands of its geometry and bits."""
    random = np.random.default_rng(0)
    return {
        "a": random.integers(0, 16, (2, 8, 16, 16)),
        "w": random.integers(-3, 4, (8, 8, 3, 3)),
        "e": random.integers(-32, 32, (2, 8, 16, 16)),
    }


@pytest.mark.parametrize("name", ["README.md", "docs/engine.md", "docs/step_model.md"])
def test_examples_run(name: str) -> None:
    """All blocks of a document one after the other, in one namespace."""
    blocks = BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))
    assert blocks
    names = readers_own()
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{name}, block {number}", "exec"), names)
