"""Random schedules of the engine over vendors that list members: their real targets, over their sandboxes.

A schedule is identified by its vendor, its identity and its seed.
``python -m tests.sync.model.listing docebo email 17`` prints the events of one.

W is the set of users in the source; an e-mail address stands for the user who has it at the vendor. As look-ups are
cached for a while, an address that was reassigned since then may stand for either user. "Ours" are users who were added
or adopted, and have not left; strangers are other members, who were added by hand.

A: After an undisturbed run that succeeds, all of W are members, and none of ours who is not in W is, except for as many
   changes as the run counts as rejected, unconfirmed or deferred.
B: After the settling time and the maximum age of look-ups, one run without faults makes A true without exception, and
   strangers are members as before. A user whose address was reassigned to no user is removed by the second such run, a
   day later.
C: Another run of the same source then sends no request.
D: A run that only plans sends no request, and writes no file.
M: A user who is wanted before and after a run is a member at each moment.
N: The counts of outcomes add up to the number of planned changes.
R: A request adds only users of W, removes only ours, and no user of W; additions are sent before removals. With
   ``removals="all"`` and ``replace``, it may remove any user who is not in W.
S: Only such a run removes strangers.
U: A user unknown to the vendor counts as rejected if the vendor reports it, otherwise as unconfirmed.
X: The engine raises only its own errors.

Not covered: several concurrent workers, lost or damaged ledgers and approvals, which :mod:`.schedule` covers; deleted
users; requests of Zendesk that are carried out later, in which a whole list undoes later changes.
"""

from __future__ import annotations

import random
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import duckdb

from airflow_segments_provider.errors import LedgerBusy, LedgerOvertaken, SegmentsError, VendorError
from airflow_segments_provider.sync.engine import Sync, Synced
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.timing import Timing
from airflow_segments_provider.sync.plan import Plan
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.target import Applied
from airflow_segments_provider.sync.workspace import Workspace
from airflow_segments_provider.testing.sandbox.server import SandboxServer
from tests.sync.model.memory import Crash, MemoryStore
from tests.sync.model.sandboxes import SIDES, Identity, Side
from tests.sync.model.world import Diverged

SECOND, MINUTE = 1_000, 60_000
START = 1_700_000_000_000
USERS = 8
# In minutes; by then a late request is carried out, and an open intent settles.
SETTLE = 60
DAYS = 24 * 60
LEASE = 20

Users = frozenset[str]


class Segment:
    """One schedule: a segment, its users, the time, and records kept outside the engine.

    :param chosen: Settings that are not chosen at random.
    :ivar owners: The users of each address with the time since when; None for no user.
    :ivar wanted: The identities in the source.
    :ivar ours: See the module; ``unclear``: members who may be ours or strangers.
    :ivar all_leave: A run was to remove strangers, and none has succeeded since.
    :ivar touched: When a removal of a user was last sent.
    """

    def __init__(
        self, side: type[Side], identity: Identity, seed: int, server: SandboxServer, database: Any, **chosen: Any
    ) -> None:
        self.rng = rng = random.Random(f"{side.vendor} {identity} {seed}")
        self.identity: Identity = identity
        self.database = database
        self.seen = Counter[str]()
        self.story: list[str] = []
        self.now = 0
        tries = rng.choice([1, 2, 3])
        self.side = side(
            server,
            [f"u{number}@example.com" for number in range(USERS)],
            **({} if side.whole else {"users_per_request": rng.choice([1, 2, 3, 100])}),
            retry={"max_attempts": tries, "base_delay": 0.001, "max_delay": 0.001, "max_total": 20},
        )
        self.side.configure(rng)
        self.emails = {user: f"u{number}@example.com" for number, user in enumerate(self.side.ids)}
        self.owners: dict[str, list[tuple[int, str | None]]] = {
            email: [(-10 * DAYS, user)] for user, email in self.emails.items()
        }
        self.max_age = rng.choice([0, 5, 7 * DAYS])
        self.hand, self.moves = rng.choice([0, 0.03, 0.12]), rng.choice([0, 0.02, 0.1])
        self.die, self.tick, self.blind = rng.choice([0, 0, 0.04]), rng.choice([0, 0.1]), rng.choice([0, 0, 0.3])
        self.broken, self.unknown = rng.choice([0, 0.5, 0.9]), rng.choice([0, 0, 0.3])
        self.turns = (3, 7)
        self.pauses: Sequence[int] = (0, 1, 5, 20, SETTLE)
        for name, value in chosen.items():
            setattr(self.side if name == "background" else self, name, value)
        self.store = MemoryStore(lambda: None)
        self.runs, self.task = 0, 0
        self.wanted: frozenset[str] = frozenset()
        self.ours: set[str] = set()
        self.strangers: set[str] = set()
        self.unclear: set[str] = set()
        self.all_leave = self.calm = self.doubts = self.waited = False
        self.touched: dict[str, int] = defaultdict(lambda: -SETTLE)
        self.before: Users = frozenset()
        for user in self.side.ids:
            if rng.random() < 0.15:
                self.side.put(user)
                self.strangers.add(user)
        self.run_state()

    def run_state(self) -> None:
        """Start the records of a run."""
        self.since, self.disturbed = self.now, self.side.under_way
        self.missed: list[bool] = []
        self.adds, self.removes = set[str](), set[str]()
        self.plan: Plan | None = None
        self.raced: set[str] = set()
        self.steady: Users = frozenset()

    def note(self, *what: object) -> None:
        self.story.append(f"{self.now / MINUTE:8.1f} {' '.join(map(str, what))}")

    def claim(self, name: str, holds: object, *about: object) -> None:
        if not holds:
            raise Diverged(f"{name}: {' '.join(map(str, about))}")

    # Wanted users ----------------------------------------------------------------------------------------------------

    def meant(self) -> tuple[Users, Users]:
        """Return W, and W with all other users of addresses that were reassigned."""
        if self.identity == "id":
            return self.wanted, self.wanted
        least, most = set[str](), set[str]()
        for email in self.wanted:
            history = self.owners.get(email, [(-10 * DAYS, None)])
            since = self.since - self.max_age * MINUTE
            begun = [user for time, user in history if time <= since]
            owners = {*begun[-1:], *(user for time, user in history if time > since)}
            found = {user for user in owners if user}
            most |= found
            if len(owners) == 1:
                least |= found
        return frozenset(least), frozenset(most)

    @property
    def kept(self) -> Users:
        """Return the users whose address belongs to no user now: they stay until the second look-up, a day later."""
        lost = [history for email, history in self.owners.items() if email in self.wanted and not history[-1][1]]
        return frozenset(user for history in lost for _, user in history if user)

    def drawn(self) -> frozenset[str]:
        """Return a random source."""
        rng = self.rng
        everyone = self.side.ids if self.identity == "id" else sorted(self.owners)
        share = rng.choice([0.1, 0.4, 0.6, 0.9])
        if self.wanted and rng.random() < 0.6:
            found = set(self.wanted) ^ {user for user in everyone if rng.random() < 0.2}
        else:
            found = {user for user in everyone if rng.random() < share}
        nobody = self.side.unknown if self.identity == "id" else "nobody@example.com"
        found.discard(nobody)
        if rng.random() < self.unknown and not self.calm:
            found.add(nobody)
        return frozenset(found)

    def spelled(self) -> list[str]:
        """Return the source in different case, as a query may return it."""
        rng = self.rng
        return [user.upper() if rng.random() < 0.3 else user for user in sorted(self.wanted)]

    # Changes by hand -------------------------------------------------------------------------------------------------

    def instant(self, where: str) -> None:
        """Let a random event happen between two steps of a run."""
        self.watch(where)
        if self.calm:
            return
        rng = self.rng
        if rng.random() < self.die:
            self.seen["runs that died"] += 1
            self.note("dies at", where)
            raise Crash
        if rng.random() < self.hand:
            self.by_hand(during=where)
        if rng.random() < self.moves:
            self.move(during=where)
        if rng.random() < self.tick:
            self.advance(rng.choice([5, 20, 60]))

    def advance(self, seconds: float) -> None:
        before = self.side.members()
        self.now += int(seconds * SECOND)
        self.side.advance(seconds)
        if self.side.members() != before:
            self.disturbed = True
            self.seen["changes carried out late"] += 1
            self.note("late work; members", sorted(self.side.members()))

    def by_hand(self, during: str = "") -> None:
        """Add or remove a random member by hand."""
        user, members = self.rng.choice(self.side.ids), self.side.members()
        self.disturbed = True
        kind = "removed" if user in members else "added"
        self.seen[f"{kind} by hand {'during' if during else 'between'} runs"] += 1
        if during == "try" and self.side.whole:
            self.seen["changed by hand between read and write"] += 1
        self.note("someone", kind, user, during)
        if user in members:
            self.side.drop(user)
            self.strangers.discard(user)
            self.raced.add(user)
            self.steady -= {user}
            return
        self.side.put(user)
        pending = self.now - self.touched[user] < SETTLE * MINUTE or user in self.adds | self.removes
        if user in self.ours and pending:
            self.ours.discard(user)
            self.unclear.add(user)
        elif user not in self.ours | self.unclear:
            if during == "try" and self.side.whole:
                self.raced.add(user)
                self.unclear.add(user)
            else:
                (self.unclear if pending else self.strangers).add(user)

    def move(self, during: str = "") -> None:
        """Reassign an address, and give its user a new one."""
        if self.identity == "id":
            return
        rng = self.rng
        first, second = rng.sample(self.side.ids, 2)
        email, new = self.emails[first], f"n{len(self.owners)}@example.com"
        self.disturbed = True
        self.now += 1
        self.seen[f"addresses that changed their owner {'during' if during else 'between'} runs"] += 1
        self.side.change_email(first, new)
        self.own(new, first)
        if rng.random() < 0.7:
            self.own(self.emails[second], None)
            self.side.change_email(second, email)
            self.own(email, second)
        else:
            self.own(email, None)
        self.note("addresses", {user: self.emails[user] for user in (first, second)}, during)

    def own(self, email: str, user: str | None) -> None:
        self.owners.setdefault(email, [(-10 * DAYS, None)]).append((self.now, user))
        if user:
            self.emails[user] = email

    def break_calls(self) -> None:
        """Let some of the next requests fail."""
        rng, side = self.rng, self.side
        side.calm()
        side.configure(rng)
        while rng.random() < self.broken:
            kind, given = rng.choice(FAULTS)
            endpoint = rng.choice(side.faulty)
            if kind == "late":
                if side.whole or endpoint not in side.changing:
                    continue
                given = {"seconds": rng.randint(30, 500)}
            times, skip = rng.choice([1, 1, 2]), rng.choice([0, 0, 1, 3])
            side.fault(endpoint=f"{side.vendor}.{endpoint}", kind=kind, times=times, skip=skip, **given)
            self.seen[f"faults: {kind} {given.get('status', '')}".strip()] += 1
            self.note("fault", endpoint, kind, given, "times", times, "skip", skip)

    # The engine ------------------------------------------------------------------------------------------------------

    def watch(self, where: str) -> None:
        """Check the claims that hold at each moment: M and S."""
        members = self.side.members()
        self.claim("M: out of the segment", self.steady <= members, sorted(self.steady - members), where)
        self.strangers &= members if self.all_leave else self.strangers
        self.claim("S: a stranger was removed", self.strangers <= members, sorted(self.strangers - members), where)

    def sends(self, add: Sequence[str], remove: Sequence[str]) -> None:
        """Check a request: R."""
        adds, removes = set(add), set(remove)
        least, most = self.meant()
        self.note("sends: add", sorted(adds), "remove", sorted(removes), "members", sorted(self.side.members()))
        self.claim("D: a run that only plans sent a request", not self.only_plans)
        self.claim("R: adds a user who is not wanted", adds <= most, sorted(adds - most))
        self.claim("R: removes a wanted user", not removes & least, sorted(removes & least))
        foreign = removes - self.ours - self.unclear
        self.claim("R: removes a stranger", self.all_leave or not foreign, sorted(foreign))
        early = self.removes and adds and not (self.plan and self.plan.counts["again"])
        self.claim("R: adds after a removal", not early or self.side.whole, sorted(adds))
        if self.side.whole and removes:
            self.claim("R: removes before the additions", adds or not self.planned("add") - self.adds, sorted(removes))
        self.steady -= removes
        self.adds |= adds
        self.removes |= removes
        self.ours |= adds
        self.strangers -= adds
        if self.all_leave:
            self.unclear |= removes & self.strangers
            self.strangers -= removes
        for user in removes:
            self.touched[user] = self.now

    def planned(self, action: str) -> set[str]:
        return {user for (user,) in self.workspace.rows("SELECT id FROM actions WHERE action = ?", [action])}

    def on_plan(self, plan: Plan) -> None:
        self.plan = plan
        self.note("plans", {kind: users for kind, users in plan.counts.items() if users})
        self.instant("plan")

    def listed(self, pages: Iterable[Sequence[str]]) -> Iterator[list[str]]:
        """Yield a list of members, which may be incomplete."""
        whole = [user for page in pages for user in page]
        blind = self.blind if not self.calm and self.rng.random() < 0.5 else 0.0
        shown = [user for user in whole if self.rng.random() >= blind]
        self.missed.append(shown != whole)
        self.seen["incomplete lists"] += shown != whole
        self.note("list", shown, "of", whole)
        self.instant("list")
        yield shown

    def pause(self, seconds: float) -> None:
        self.seen["waits for a background job"] += 1
        self.advance(seconds)

    def target(self) -> Any:
        target: Any = self.side.target(self.identity)
        target.__class__ = _watched(type(target), self)
        return target

    def ledger(self, key: Any, target: Any) -> Ledger:
        writer = Writer(token=str(self.runs), owner="dag.task", run=f"run {self.task}", try_number=self.runs)
        return Ledger(
            self.store,
            key.folder,
            writer,
            target.limits.request_timeout,
            Timing(lease=timedelta(minutes=15)),
            clock=lambda: START + self.now,
            running=lambda: self.now,
        )

    def settings(self, **chosen: Any) -> Settings:
        given: dict[str, Any] = {
            "max_removed_fraction": 1,
            "max_added_fraction": None,
            "max_unmatched_fraction": 1,
            "allow_empty": True,
            "retry_rejected_after": timedelta(0),
            "identity_max_age": timedelta(minutes=self.max_age),
        }
        return Settings(**{**given, **chosen})

    def run(self, **chosen: Any) -> Synced | None:
        """Run once; return None if the run failed or died."""
        self.runs += 1
        if not self.runs or self.rng.random() < 0.5:
            self.task += 1
        settings = self.settings(**chosen)
        self.only_plans = settings.plan_only
        if settings.replace:
            self.task += 1
        self.run_state()
        self.all_leave = self.all_leave or settings.replace or settings.removals == "all"
        self.note("begins: wants", sorted(self.wanted), chosen, "members", sorted(self.side.members()))
        recent = {user for user, time in self.touched.items() if self.now - time < SETTLE * MINUTE}
        quiet = frozenset() if self.side.under_way else self.meant()[0]
        self.steady = self.before & quiet & self.side.members() & self.ours - recent
        files, done, error = set(self.store.files), None, None
        try:
            done = self._sync(settings)
        except Crash:
            self.note("died")
        except Diverged:
            raise
        except SegmentsError as found:
            error = found
            self.seen[f"ended: {type(found).__name__}"] += 1
            self.note("failed:", type(found).__name__, found)
        except Exception as found:  # Any other error is a divergence.
            raise Diverged(f"X: {type(found).__name__}: {found}") from found
        self.watch("end")
        if self.calm and isinstance(error, LedgerBusy) and self.side.whole and not self.waited:
            # A writer that died may have written the whole list; the wait begins when a run finds its intent.
            self.waited = True
            self.advance(60 * (SETTLE + LEASE))
            return self.run(**chosen)
        if error is not None and self.calm:
            raise Diverged(f"X: a calm run failed: {error}") from error
        known = isinstance(error, (VendorError, LedgerBusy, LedgerOvertaken)) or "none was found" in str(error)
        self.claim("X: an unexpected error", error is None or known, repr(error))
        if isinstance(error, LedgerBusy):
            self.advance(LEASE * 60)
        if done is not None and settings.plan_only:
            self.seen["runs that only planned"] += 1
            self.claim("D: a run that only plans wrote a file", set(self.store.files) == files)
            return done
        if done is not None:
            self.check(done)
        self.close(done is not None)
        return done

    def _sync(self, settings: Settings) -> Synced:
        target = self.target()
        with Workspace(database=self.database) as self.workspace:
            return Sync(
                target,
                self.spelled(),
                lambda key: self.ledger(key, target),
                self.workspace,
                settings,
                on_plan=self.on_plan,
                on_look_up=lambda *_: self.instant("look up"),
                on_progress=lambda _: self.instant("progress"),
                pause=self.pause,
            ).run()

    def check(self, done: Synced) -> None:
        """Check the claims on a run that has succeeded: A and N."""
        counts, plan, members = done.counts, done.plan, self.side.members()
        self.seen["runs that succeeded"] += 1
        self.note("succeeded:", {kind: users for kind, users in counts.items() if users}, "members", sorted(members))
        for kind in ("unconfirmed", "rejected", "unmatched", "strangers", "missing"):
            self.seen[f"users counted: {kind}"] += counts[kind]
        self.seen["retries planned"] += counts["again"] + counts["remove_again"]
        outcomes = [counts[kind] for kind in ("applied", "rejected", "unconfirmed", "deferred")]
        self.claim("N: counts", sum(outcomes) == plan.changes and min(outcomes) >= 0, counts)
        if self.disturbed or self.side.under_way:
            return
        least, most = self.meant()
        excused = sum(outcomes[1:]) + counts["waiting"]
        if self.side.unknown in self.wanted and self.missed and not any(self.missed):
            self.seen["claims U checked"] += 1
            count = counts["rejected"] if self.side.reports else counts["unconfirmed"] if self.side.ignores else 1
            self.claim("U: an unknown user counts as a member", count, counts)
        if self.identity == "id" or not self.side.unlisted:
            self.seen["claims A checked"] += 1
            out = least - members - {self.side.unknown}
            self.claim("A: wanted and not a member", len(out) <= excused, sorted(out), counts)
            if self.missed and not self.missed[-1]:
                left = (self.ours - most - self.kept) & members
                self.claim("A: not wanted and a member", len(left) <= excused, sorted(left), counts)

    def close(self, succeeded: bool) -> None:
        """Finish the records of a run."""
        # The remaining faults are meant for the run.
        self.side.sandbox.clear_faults()
        target, members = self.target(), self.side.members()
        key = target.key()
        with Workspace(database=self.database) as workspace:
            self.ledger(key, target).look(workspace)
            known = workspace.rows("SELECT id, uncertain FROM known WHERE owned OR uncertain IS NOT NULL")
        held, self.doubts = {user for user, _ in known}, any(uncertain for _, uncertain in known)
        self.ours |= held
        self.strangers -= held
        self.unclear -= held
        if not self.side.under_way:
            self.ours = {user for user in self.ours if user in held or user in members}
            self.unclear &= members
        if succeeded:
            self.before = self.meant()[0]
            self.all_leave = False
            # Users added during the run who are not owned.
            left = self.raced & self.unclear & members - self.adds - self.removes
            self.unclear -= left
            self.strangers |= left

    # The schedule ----------------------------------------------------------------------------------------------------

    def schedule(self) -> None:
        """Run the schedule."""
        rng = self.rng
        for _ in range(rng.randint(*self.turns)):
            if rng.random() < 0.7:
                self.wanted = self.drawn()
                self.seen["sources changed"] += 1
            while rng.random() < 3 * self.hand:
                self.by_hand()
            if rng.random() < 3 * self.moves:
                self.move()
            self.break_calls()
            self.run(**self.options())
            self.advance(60 * rng.choice(self.pauses))
        self.end()

    def options(self) -> dict[str, Any]:
        dice = self.rng.random()
        if dice < 0.08:
            return {"plan_only": True}
        if dice < 0.16:
            self.seen['runs with removals="all"'] += 1
            return {"removals": "all"}
        if dice < 0.24:
            self.seen["runs with replace"] += 1
            return {"replace": True}
        return {}

    def end(self) -> None:
        """Check B and C."""
        rng = self.rng
        self.side.calm()
        self.calm = True
        self.advance(60 * (SETTLE + self.max_age))
        replace_all = rng.random() < 0.3
        chosen = {"removals": "all"} if replace_all else {}
        if not self.meant()[0]:
            # A source without an address that belongs to a user is always refused.
            self.wanted = frozenset()
        # Also if a replacement requested by an earlier run may be pending.
        may_leave, strangers = self.all_leave or replace_all, set(self.strangers)
        self.run(**chosen)
        self.seen["claims B checked"] += 1
        wanted, members = self.meant()[0] - {self.side.unknown}, frozenset(self.side.members() - {self.side.unknown})
        self.note("B: wanted", sorted(wanted), "members", sorted(members), "ours", sorted(self.ours))
        self.claim("B: wanted and not a member", wanted <= members, sorted(wanted - members))
        self._check_left(wanted | self.kept, members, replace_all)
        if not may_leave:
            self.claim("B: a stranger was removed", strangers <= members, sorted(strangers - members))
        kept = self.kept
        self.advance(60 * (DAYS + SETTLE if kept else SETTLE))
        if self.doubts or kept:
            # The writer of an intent, which may have died, could still be active while the first run begins.
            self.run(**chosen)
            self._check_left(self.meant()[0], frozenset(self.side.members() - {self.side.unknown}), replace_all)
            self.advance(60 * SETTLE)
        done = self.run(**chosen)
        self.claim("C", done and (self.side.unknown in self.wanted or done.outcome == "unchanged"), done)
        self.claim("C", self.adds | self.removes <= {self.side.unknown}, sorted(self.adds | self.removes))

    def _check_left(self, may_stay: Users, members: Users, everyone: bool) -> None:
        left = members - may_stay if everyone else self.ours & members - may_stay
        self.claim("B: not wanted and a member", not left, sorted(left), 'with `removals="all"`' if everyone else "")


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("lost", {}),
    ("late", {}),
    ("status", {"status": 429}),
    ("status", {"status": 503}),
    ("status", {"status": 500, "effect": True}),
    ("reset", {"effect": True}),
    ("reset", {}),
    ("truncate", {}),
]


def _watched(kind: type[Any], segment: Segment) -> type[Any]:
    """Return a class of the target that reports each of its operations to the schedule."""

    class Watched(kind):  # type: ignore[misc]
        @property
        def before_try(self) -> Callable[[], None]:
            check: Callable[[], None] = super().before_try
            return check

        @before_try.setter
        def before_try(self, check: Callable[[], None]) -> None:
            def both() -> None:
                check()
                segment.instant("try")

            kind.before_try.fset(self, both)

        def add(self, ids: Sequence[str]) -> Applied:
            if not segment.side.whole:
                segment.sends(ids, ())
            return self._answer(super().add(ids))

        def remove(self, ids: Sequence[str]) -> Applied:
            if not segment.side.whole:
                segment.sends((), ids)
            return self._answer(super().remove(ids))

        def change(self, add: Sequence[str], remove: Sequence[str]) -> Applied:
            segment.sends(add, remove)
            return self._answer(super().change(add, remove))

        def _answer(self, answer: Applied) -> Applied:
            segment.seen["users rejected of an accepted request"] += len(answer.rejected)
            segment.seen["changes in the background"] += answer.background
            segment.seen["changes of unknown outcome"] += answer.in_doubt
            segment.watch("answer")
            return answer

        def members(self) -> Iterator[Sequence[str]]:
            yield from segment.listed(super().members())

        @contextmanager
        def look_up(self, users: int) -> Iterator[Any]:
            segment.seen["users looked up"] += users
            with super().look_up(users) as look:
                yield look
            segment.instant("looked up")

    return Watched


def run_schedule(
    side: type[Side],
    identity: Identity,
    seed: int,
    server: SandboxServer,
    database: duckdb.DuckDBPyConnection,
    **chosen: Any,
) -> Segment:
    """Run a schedule, and return it with its records.

    :param chosen: Settings that are not chosen at random.
    :raises Diverged: A claim does not hold.
    """
    segment = Segment(side, identity, seed, server, database, **chosen)
    try:
        segment.schedule()
    except Diverged as error:
        error.story = segment.story  # type: ignore[attr-defined]
        raise
    return segment


def main(vendor: str, identity: Identity, seed: str) -> None:
    """Print a schedule."""
    from tests.databases import small_database
    from tests.sync.model.engine import small_engine

    (side,) = [side for side in SIDES if side.vendor == vendor]
    with SandboxServer() as server, small_engine():
        try:
            story = run_schedule(side, identity, int(seed), server, small_database()).story
        except Diverged as error:
            story = [*error.story, str(error)]  # type: ignore[attr-defined]
    sys.stdout.write("\n".join(story) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]
