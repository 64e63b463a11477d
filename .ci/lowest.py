"""Print the lowest versions that pyproject.toml declares for users, as constraints of pip."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
listed = [
    *project["dependencies"],
    *(one for name, group in extras.items() if name != "dev" for one in group),
]
for requirement in listed:
    if requirement.startswith("mettl-async["):
        continue
    found = re.match(r"([A-Za-z0-9_-]+)(?:\[[a-z]+\])?>=([0-9.]+)", requirement)
    if found is None:
        raise SystemExit(f"{requirement}: has no lowest version")
    print(f"{found[1]}=={found[2]}")
