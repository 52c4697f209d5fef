"""What the guide tells to clone is pinned: it was written against sources of one day."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_clone_has_a_tag() -> None:
    text = (ROOT / "docs" / "board.md").read_text()
    clones = re.findall(r"git clone ([^`\n]*)", text)
    assert len(clones) == 3
    for clone in clones:
        assert re.search(r"--branch [a-z-]*v\d[\d.]*\d https://", clone), clone
