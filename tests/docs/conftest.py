"""Pages and docstrings run against a sandbox of their own."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for running_pages
