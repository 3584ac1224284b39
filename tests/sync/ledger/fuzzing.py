"""Ledgers with arbitrary content: any bytes in any file, and any value with its checksum computed anew."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from airflow_segments_provider.sync.approvals import Approval, Ending, KeptPlan
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement, File, Manifest, Note, Release
from tests.sync.ledger.scenes import Scene

FORMS: dict[str, type[File]] = {
    "generations": Manifest,
    "acknowledged": Acknowledgement,
    "notes": Note,
    "leases": Release,
    "plans": KeptPlan,
    "approvals": Approval,
}
CANARY = "pwned-by-a-ledger"
# `ada@` marks a user of the ledger, and a message must not contain it.
USER = "ada@example.com"
SQL = f"x'); COPY (SELECT 'pwned') TO '{CANARY}'; SELECT ('"
DEEP: Any = 1
for _ in range(300):
    DEEP = [DEEP]
HOSTILE: tuple[Any, ...] = (
    SQL,
    f"state/{SQL}",
    f"state/000000000001-0123abcd-snapshot.parquet{SQL}",
    "*",
    "../../outside/secret",
    "state/../../../outside/secret",
    "/etc/passwd",
    USER,
    f"{USER}\n",
    "",
    " ",
    "\0",
    "a\0b",
    "\x1b[2J",
    "\u202egnp",
    "\ud800",
    "\ufeff",
    "é" * 20_000,
    "9" * 400,
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**53,
    2**63 - 1,
    2**63,
    -(2**63),
    10**14,
    10**15,
    10**30,
    10**400,
    1.5,
    1e308,
    float("nan"),
    float("inf"),
    [],
    {},
    [[]],
    [None],
    [SQL],
    {SQL: SQL},
    {USER: USER},
    {"": {}},
    DEEP,
)


def form_of(name: str) -> type[File] | None:
    """Return the model of a file."""
    if not name.endswith(".json"):
        return None
    return Ending if name.endswith("-end.json") else FORMS.get(name.partition("/")[0])


def sealed(name: str, document: Any) -> bytes:
    """Return a document with a valid checksum, if it has the form of its kind of file."""
    content, form = json.dumps(document).encode(), form_of(name)
    try:
        checksum = form.model_validate_json(content).checksum() if form else ""
    except ValueError:
        return content
    return json.dumps({**document, "sha256": checksum}).encode()


def values(inside: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place of a document: the container, and the key or index in it."""
    for step, value in list(inside.items() if isinstance(inside, dict) else enumerate(inside)):
        yield inside, step
        if isinstance(value, (dict, list)):
            yield from values(value)


def other(value: Any, rng: random.Random) -> Any:
    """Return another value, of any type or similar to this one."""
    if isinstance(value, int) and rng.random() < 0.5:
        return rng.choice([value + 1, value - 1, -value, value * 1000, 0, 1, 1_000, 10**13])
    if isinstance(value, str) and value and rng.random() < 0.4:
        place = rng.randrange(len(value))
        return value[:place] + rng.choice("0a1/.-_' \n'\"é") + value[place + rng.choice([0, 1]) :]
    if isinstance(value, list) and value and rng.random() < 0.6:
        return rng.choice([value[::-1], value + value, value[1:], value[:-1], [*value, rng.choice(HOSTILE)]])
    return rng.choice(HOSTILE)


def altered(name: str, content: bytes, rng: random.Random) -> bytes:
    """Return a file with one value changed, added or deleted, and a valid checksum."""
    document = json.loads(content)
    places = [place for place in values(document) if place[1] != "sha256" or place[0] is not document]
    inside, step = rng.choice(places)
    kind = rng.random()
    if kind < 0.75:
        inside[step] = other(inside[step], rng)
    elif kind < 0.85:
        whole, place = rng.choice(places)
        inside[step] = copy.deepcopy(whole[place])
    elif isinstance(inside, dict) and kind < 0.93:
        inside[rng.choice([*HOSTILE[:12], "x"])] = rng.choice(HOSTILE)
    else:
        del inside[step]
    return sealed(name, document)


def twice(name: str, content: bytes, rng: random.Random) -> bytes:
    """Return a file in which one key occurs twice."""
    document = json.loads(content)
    key = rng.choice(list(document))
    first = json.dumps({key: rng.choice(HOSTILE)})[:-1]
    return f"{first}, {content.decode().lstrip()[1:]}".encode()


def bytes_changed(name: str, content: bytes, rng: random.Random) -> bytes:
    """Return a file with other bytes at some places."""
    place = rng.randrange(len(content) + 1)
    piece = rng.choice(
        [b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"NaN", b"[" * 5_000, b"9" * 5_000, b'"', b"}", b"\n", rng.randbytes(4)]
    )
    end = place + rng.choice([0, 1, len(piece), 10_000])
    return content[:place] + piece + content[end:]


KINDS: tuple[Callable[[str, bytes, random.Random], bytes], ...] = (altered, altered, altered, twice, bytes_changed)


def cases(scene: Scene, count: int, seed: str) -> Iterator[tuple[str, dict[str, bytes | None]]]:
    """Yield changes of one file each, with a description; the digest of a plan is computed anew as well."""
    names = [name for name in scene.needed if form_of(name)]
    for number in range(count):
        rng = random.Random(f"{seed} {number}")
        name = rng.choice(names)
        damage = rng.choice(KINDS) if scene.files[name] else bytes_changed
        content = damage(name, scene.files[name], rng)
        what = f"{seed} {number}: {name} is {damage.__name__}: {content[:300]!r}"
        yield what, {name: content, **(replanned(scene, name, content) if name.startswith("plans/") else {})}


def replanned(scene: Scene, name: str, content: bytes) -> dict[str, bytes | None]:
    """Return the files of a plan, and of an approval of it, under its new digest."""
    stem = name.removesuffix(".json")
    users = scene.files.get(f"{stem}.txt")
    try:
        stored = KeptPlan.decode(content)
        digest = hashlib.sha256(stored.plan.header + (users or b"")).hexdigest()
        plan = replace(stored.plan, digest=f"sha256:{digest}")
        renamed = f"{stem[:-64]}{digest}"
        approval = Approval(digest=plan.digest, generation=int(stem[6:18]), by="ada", at=1)
        return {
            name: None,
            f"{renamed}.json": stored.model_copy(update={"plan": plan}).encoded,
            f"{renamed}.txt": users,
            f"approvals/{renamed.partition('/')[2]}.json": approval.encoded,
        }
    except ValueError:
        return {}
