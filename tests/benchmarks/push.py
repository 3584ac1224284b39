"""A million user IDs pushed by the hook, compared with a bare ``requests`` loop with prepared bodies."""

from __future__ import annotations

from statistics import median

from tests.benchmarks.one import measure
from tests.benchmarks.one_push import PER_REQUEST, connection
from tests.benchmarks.report import Figure, progress, spread
from tests.benchmarks.server import LocalServer

IDS = 1_000_000
DELAY = 0.05
GOAL = 1.10
ROUNDS = 7


def figures() -> list[Figure]:
    """Return the hook's time over the bare loop's."""
    progress(f"push: {ROUNDS} rounds of {IDS:,} ids, by the hook and by a bare loop, {DELAY * 1000:.0f} ms a request")
    hook: list[dict[str, float]] = []
    bare: list[dict[str, float]] = []
    server: list[float] = []
    with LocalServer(DELAY) as local:
        sent = set()
        for number in range(ROUNDS):
            # In turn, so that a noisy minute affects both; each goes first once.
            for client in ("hook", "bare") if number % 2 else ("bare", "hook"):
                found = measure("one_push", client, local.url, str(IDS), "ready", env=connection(local.url))
                (hook if client == "hook" else bare).append(found)
                seen = local.seen()
                sent.add((seen.requests, seen.segment_requests, seen.fingerprint))
                server.append(seen.processor)
    if len(sent) != 1:
        raise RuntimeError(f"the hook and the bare loop did not send the same: {sent}")
    (requests, segment_requests, _), *_ = sent
    ratios = [one["seconds"] / other["seconds"] for one, other in zip(hook, bare, strict=True)]
    for name, runs in (("hook", hook), ("bare", bare)):
        seconds, processor = ([one[key] for one in runs] for key in ("seconds", "processor"))
        progress(f"push: {name}: {spread(seconds, ' s')}, of that processor {spread(processor, ' s')}")
    progress(f"push: ratio, round by round: {spread(ratios, digits=3)}; the server's processor {spread(server, ' s')}")
    parts = {key: median(one[key] for one in hook) for key in ("processor", "starting", "reading", "sending")}
    loop = median(one["processor"] for one in bare)
    progress(
        f"push: the hook's processor time per million ids: {parts['processor']:.2f} s: {parts['starting']:.2f} s for "
        f"connection and lazy imports, {parts['reading']:.2f} s to read, check and stage the ids, "
        f"{parts['sending']:.2f} s to send them (the bare loop: {loop:.2f} s)"
    )
    how = (
        f"seconds of WalkMeHook.create_segment from an iterator of {IDS:,} ready-made ids, over those of a "
        f"requests.Session with ready-made bodies. Both send the same {requests} requests, compared by the server's "
        f"fingerprint of heads and bodies: a token, then {segment_requests} that take {DELAY * 1000:.0f} ms each: "
        f"list, create and {segment_requests - 2} add, {PER_REQUEST:,} ids a request. Fresh process each, connection "
        f"and lazy imports (but requests itself) included; median of the ratios of {ROUNDS} rounds"
    )
    return [Figure("push_to_bare", median(ratios), GOAL, how)]
