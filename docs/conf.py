"""Settings of Sphinx: `make docs`."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
import tempfile
from importlib.metadata import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
# What autodoc imports reads Airflow's configuration; the user's own Airflow has no part in the pages.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="segments-docs-")
atexit.register(shutil.rmtree, os.environ["AIRFLOW_HOME"], ignore_errors=True)
logging.getLogger("airflow").setLevel(logging.WARNING)

_about = metadata("airflow-provider-segments")

project = "airflow-provider-segments"
author = "the contributors"
release = version = _about["Version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "package"]
myst_enable_extensions = ["colon_fence", "fieldlist"]
myst_heading_anchors = 3
# What a page shows of a command line is not parsed.
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"{project} {release}"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 100
python_use_unqualified_type_names = True
# Only the package's public names have to resolve: the pages are built off line.
nitpick_ignore_regex = [
    ("py:.*", r"(?!airflow_segments_provider\.).*"),
    ("py:.*", r"airflow_segments_provider\.(http|sources\.values|testing\.sandbox|vendors)\..*"),
]
