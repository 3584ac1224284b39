"""The pages, their code blocks, headings and links, as text: a page is tested without the generator of the site."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
# The pages of the site, and those beside them that are read in the repository.
PAGES = sorted(DOCS.rglob("*.md")) + [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_DIRECTIVE = re.compile(r"\{(?P<name>[\w-]+)\} ?(?P<argument>.*)")
_CAPTION = re.compile(r":caption: (?P<file>\S+)\n")
_LINK = re.compile(r"\]\((?P<path>[^)#\s]*)(?:#(?P<anchor>[\w-]+))?\)")
_REDIRECTION = re.compile(r"\d?>(&\d|>? ?\S+)")
_OPERATORS = {";", "&", "&&", "|", "||", "(", ")", "do", "done", "until"}


@dataclass(frozen=True)
class Block:
    """A code block, or a directive.

    :param language: of a code block; empty for another directive.
    :param directive: the name of a directive other than ``code-block``, with its ``argument``.
    :param file: the file whose content it is.
    """

    page: Path
    line: int
    code: str
    language: str = ""
    directive: str = ""
    argument: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """Return the blocks of a page in their order."""
    return tuple(_blocks(page))


def _blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for fence in _FENCE.finditer(text):
        info, body = fence["info"].strip(), textwrap.dedent(fence["body"])
        found = Block(page, text.count("\n", 0, fence.start()) + 1, body, language=info)
        if directive := _DIRECTIVE.fullmatch(info):
            caption = _CAPTION.match(body)
            code = body[caption.end() :] if caption else body
            if directive["name"] == "code-block":
                file = caption["file"] if caption else ""
                yield Block(page, found.line, code, language=directive["argument"], file=file)
            else:
                yield Block(page, found.line, code, directive=directive["name"], argument=directive["argument"])
        else:
            yield found


def of(language: str) -> list[Block]:
    """Return the code blocks of all pages in one language."""
    return [block for page in PAGES for block in blocks(page) if block.language == language]


def prose(page: Path) -> str:
    """Return a page without its blocks and without code in its lines."""
    return re.sub(r"`[^`\n]*`", "``", _FENCE.sub("", page.read_text(encoding="utf-8")))


def links(page: Path) -> list[tuple[str, str]]:
    """Return the links to files and headings: path, empty for the page itself, and anchor."""
    return [(found["path"], found["anchor"] or "") for found in _LINK.finditer(prose(page)) if ":" not in found["path"]]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


def command_lines(block: Block) -> list[str]:
    """Return the command lines, with continuation lines joined."""
    text = block.code.replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]


def commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command in a line of a shell, without redirections."""
    line = _REDIRECTION.sub("", line.partition("    #")[0]).replace("$(", " ( ")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if word not in _OPERATORS:
            words.append(word)
        elif words:
            yield words
            words = []
