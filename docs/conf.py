"""Settings of Sphinx: `make docs`."""

from __future__ import annotations

from importlib.metadata import metadata

_about = metadata("airflow-provider-segments")

project = "airflow-provider-segments"
author = "the contributors"
release = version = _about["Version"]
project_copyright = "Apache-2.0"

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["colon_fence", "fieldlist"]
myst_heading_anchors = 3
# What a page shows of a command line is not parsed.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"{project} {release}"
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
