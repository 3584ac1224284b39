"""The page of the sandbox's API: its operations, and a form to call each; it needs nothing from the internet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 60em; padding: 0 1em; }
summary { cursor: pointer; font-family: ui-monospace, monospace; padding: .2em 0; }
pre, textarea { background: #f4f4f4; font: 13px ui-monospace, monospace; padding: .5em; white-space: pre-wrap; }
textarea { box-sizing: border-box; width: 100%; }
"""
_SCRIPT = """
document.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target, output = form.querySelector("pre");
  try {
    const body = form.querySelector("textarea").value;
    const headers = {"content-type": "application/json"};
    const response = await fetch(form.action, {method: "POST", headers, body});
    output.textContent = response.status + " " + await response.text();
  } catch (error) {
    output.textContent = error;
  }
});
"""


def api_page(document: Mapping[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    return "\n".join(_lines(document))


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    title = escape(document["info"]["title"])
    yield f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
    yield "<p>Operations below <code>/_sandbox</code> control the sandbox. They take their arguments as a JSON object. "
    yield "The others are those of the vendors.</p>"
    sections: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            section = sections.setdefault(operation["tags"][0], [])
            section.append("".join(_operation(method.upper(), path, operation)))
    for name, entries in sections.items():
        yield f"<h2>{escape(name)}</h2>"
        yield from entries
    yield f"<script>{_SCRIPT}</script></body></html>"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details><summary>{method} {escape(path)}</summary>"
    if not path.startswith("/_sandbox"):
        yield f"<p>The endpoint <code>{escape(operation['summary'])}</code> of faults and counts.</p></details>"
        return
    yield f"<p><code>{escape(operation['summary'])}</code></p><pre>{escape(operation.get('description', ''))}</pre>"
    yield f'<form action="{escape(path)}"><textarea rows="2">{{}}</textarea>'
    yield "<button>Send</button><pre></pre></form></details>"
