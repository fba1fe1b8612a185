"""Writes the programs of the library's own residual functions and motions: python tools/programs.py

To be run when one of them, or the compiler, has changed: a test tells.
"""

from __future__ import annotations

from marquardt.problem.large.shipped import FOLDER, files


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for path, text in files():
        path.write_text(text, encoding="ascii")
        print(f"{path.name}: {len(text.splitlines())} lines")


if __name__ == "__main__":
    main()
