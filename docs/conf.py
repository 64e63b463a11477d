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
autodoc_preserve_defaults = False  # of an attrs class they would be the words of its generated code
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

add_module_names = False  # each page says where its names are imported from
python_use_unqualified_type_names = True
maximum_signature_line_length = 72  # longer ones have a line for each parameter

html_theme = "furo"
html_title = f"mettl-async {release}"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_extra_path = ["llms.txt"]


def without_factories(app, what, name, obj, options, signature, annotation):  # noqa: ANN001, ANN201, ARG001, PLR0917 - Sphinx's
    """Show a default that attrs makes for each value as ``...``."""
    return signature and signature.replace("NOTHING", "..."), annotation


def setup(app):  # noqa: ANN001, ANN201 - Sphinx's
    """Connect what this site changes of autodoc."""
    app.connect("autodoc-process-signature", without_factories)
