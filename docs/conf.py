"""How the site is built: ``python -m sphinx -W --keep-going docs docs/_build``."""

from importlib.metadata import version as installed

project = "mettl-async"
author = "mettl-async maintainers"
copyright = author  # noqa: A001 - Sphinx's own name
release = version = installed("mettl-async")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "examples"]
nitpicky = False
default_role = "py:obj"

myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"mettl-async {release}"
html_static_path = []
html_extra_path = ["llms.txt"]
