"""Put the published runs into the wheel. All other settings of the build are in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PUBLISHED = Path(__file__).parent / "results" / "published"
CARRIED = ("*/run.json", "*/*/trials.jsonl", "*/*/*.csv", "*/*/arrays/*.npz")
"""What `myths list`, `show`, `compare`, `report` and `run --from` read. Figures are drawn again."""


class BuildWithPublishedRuns(build_py):
    """Copy results/published to myths/published in the build, which an editable installation does not need."""

    def run(self) -> None:
        """Build the package, then copy."""
        super().run()
        if self.editable_mode:
            return
        for file in (file for pattern in CARRIED for file in sorted(PUBLISHED.glob(pattern))):
            target = Path(self.build_lib) / "myths" / "published" / file.relative_to(PUBLISHED)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


setup(cmdclass={"build_py": BuildWithPublishedRuns})
