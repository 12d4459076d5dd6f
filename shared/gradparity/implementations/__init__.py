"""The three implementations that come with gradparity: `gradparity.implementations.impl_numpy` and its siblings.

In the repository they are three folders at the top, since they are what it shows. In a wheel they lie in this package:
whoever installs gradparity gets no other top-level module. Both ways they have one name, because this package's
submodules are sought where the three folders are: beside this file, or in the nearest folder above that has them.
"""

from pathlib import Path

__path__ = [
    str(folder) for folder in Path(__file__).resolve().parents if (folder / "impl_numpy").is_dir()
][:1]
