"""Prints constraints for pip: the lowest version of each dependency that pyproject.toml allows.

python -m tests.support.lowest_versions > constraints.txt
"""

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def lowest_versions() -> list[str]:
    """The dependencies of the package and of its extras, each with its lowest version."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    stated = {requirement for group in groups for requirement in group if not requirement.startswith(project["name"])}
    return sorted(re.sub(r"(\[.*?\])?>=", "==", requirement) for requirement in stated)


if __name__ == "__main__":
    print(*lowest_versions(), sep="\n")
