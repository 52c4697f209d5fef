"""Leftovers of systems and programs in folders and archives: neither images nor classes."""

from __future__ import annotations

__all__ = ["is_hidden", "is_leftover"]

# Casefolded: Windows and macOS write them in several ways.
SYSTEM = frozenset(
    {
        # macOS: in ZIP archives, on volumes of other systems, icons of folders
        *("__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder"),
        *("desktop db", "desktop df", "icon\r"),
        # Windows
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini"),
        *("$recycle.bin", "system volume information"),
        # Synology, QNAP
        *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),
        # ext2 to ext4; Python
        *("lost+found", "__pycache__"),
    }
)


def is_leftover(name: str, *, folder: bool = False) -> bool:
    """Whether a file (or ``folder``) of that ``name``, without its path, is hidden, belongs to a
    system, or is an editor's backup.

    Hidden: it begins with a dot, as ``.DS_Store``, ``._0.png``, ``.ipynb_checkpoints``, ``.git``.
    """
    if name.startswith(".") or name.casefold() in SYSTEM:
        return True
    if folder:
        return False  # a class of symbols may be called ~ or #
    return name.endswith("~") or name.startswith("~$") or name[0] == name[-1] == "#"


def is_hidden(name: str) -> bool:
    """Whether only its dot excludes it: it may be a user's own file."""
    return name.startswith(".") and not name.startswith("._")
