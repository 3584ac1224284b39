"""Tests of users who are identified by something else than the vendor's ID, where the target accepts that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from airflow_segments_provider.testing.conformance.checks import must, must_be, sync
from airflow_segments_provider.testing.conformance.fake import VendorFake

# Numbers of users that are looked up at once: some targets search for a few, and list all users for many.
COUNTS = (1, 3, 30)
BATCH = 8


class LookUpTests:
    """Tests of ``identity_keys`` and ``look_up``, for each of the fake's ``identities``."""

    def test_a_look_up_finds_a_user_by_every_spelling(self, vendor: VendorFake) -> None:
        """Spellings of one identity have one key; the vendor may return the ID in any spelling."""
        for kind in vendor.identities():
            for count in COUNTS:
                users = vendor.users(count)
                spelled = {text: user for user in users for text in _spellings(vendor, kind, user)}
                target = vendor.open_by(kind, BATCH)
                must(target.identity == kind, f"`identity` is {target.identity!r}, not {kind!r}.")
                keys = list(target.identity_keys(list(spelled)))
                must(len(set(keys)) == count, f"The spellings of {count} users by {kind} have {len(set(keys))} keys.")
                again = list(target.identity_keys(keys))
                must(again == keys, f"identity_keys() changes keys of {kind} that are normalised already.")
                # The engine looks up one spelling of each.
                for place in range(len(spelled) // count):
                    values = list(spelled)[place :: len(spelled) // count]
                    with target.look_up(len(values)) as look:
                        found = dict(look(values))
                    ids = target.normalise([found.get(value) or "" for value in values])
                    right = sum(1 for value, user in zip(values, ids, strict=True) if spelled[value] == user)
                    must(right == count, f"look_up() found {right} of {count} users by {kind}, in spelling {place}.")

    def test_a_look_up_does_not_choose_between_users(self, vendor: VendorFake) -> None:
        """None for an identity that several users have; others are found."""
        for kind in vendor.identities():
            for count in COUNTS[1:]:
                users = vendor.users(count)
                if not vendor.share(kind, users[0]):
                    continue
                values = [vendor.identity_of(kind, user) for user in users]
                with vendor.open_by(kind, BATCH).look_up(len(values)) as look:
                    found = dict(look(values))
                chosen = found.get(values[0], "left out")
                must(chosen is None, f"look_up() found one user, or none, with the {kind} of two users.")
                must(len(found) == len(values), f"look_up() found {len(found) - 1} of {len(values) - 1} other users.")

    def test_a_look_up_leaves_out_unknown_users(self, vendor: VendorFake) -> None:
        """Also a part of an identity that a user has, which a vendor's search may find."""
        for kind in vendor.identities():
            for count in COUNTS:
                users = vendor.users(count)
                known = [vendor.identity_of(kind, user) for user in users]
                similar = {text for value in known for text in (value[1:], value[:-1], f"{value}x", f"x{value}")}
                unknown = sorted(similar - {"", *known})
                values = [*unknown[: 3 * count], *known]
                with vendor.open_by(kind, BATCH).look_up(len(values)) as look:
                    found = look(values)
                wrong = len(found.keys() & set(unknown))
                must(not wrong, f"look_up() found {wrong} of {len(unknown)} values of {kind} that no user has.")
                must(len(found) == count, f"look_up() found {len(found)} of {count} users among unknown ones.")

    def test_a_look_up_states_its_requests(self, vendor: VendorFake) -> None:
        """Before the first of them; the plan adds them up, and ``max_duration`` rejects too many."""
        for kind in vendor.identities():
            for count in COUNTS:
                values = [vendor.identity_of(kind, user) for user in vendor.users(count)]
                target, before = vendor.open_by(kind, BATCH), vendor.calls()
                with target.look_up(count) as look:
                    stated = look.requests
                    look(values)
                    sent = vendor.calls() - before
                must(sent == stated, f"The look-up of {count} users by {kind} took {sent} requests, not {stated}.")

    def test_a_segment_follows_identities(self, vendor: VendorFake, tmp_path: Path) -> None:
        """Two spellings are one member, users are looked up once, and unknown ones are reported."""
        for kind in vendor.identities():
            folder, users = tmp_path / kind, vendor.users(12)
            wanted, values = users, list[str]()
            for wanted in (users[:8], users[3:10]):
                values = [text for user in wanted for text in _spellings(vendor, kind, user)]
                done = sync(vendor.open_by(kind, BATCH), [*values, "x" + values[0]], folder, max_unmatched_fraction=1)
                must_be(vendor.members(), wanted, f"The members after a sync by {kind}")
                unmatched = done.counts["unmatched"]
                must(unmatched == 1, f"A sync by {kind} with one unknown user reports {unmatched} as unmatched.")
                more = [name for name in ("strangers", "missing", "unconfirmed") if done.counts[name]]
                must(not more, f"A sync by {kind} counts users as {more}, and nothing else changed the segment.")
            before, written = vendor.calls(), len(vendor.writes())
            done = sync(vendor.open_by(kind, BATCH), values, folder)
            must(done.outcome == "unchanged", f"A sync of the same users by {kind} again was {done.outcome!r}.")
            must(len(vendor.writes()) == written, f"A sync of the same users by {kind} again changed members.")
            must(not done.counts["looked_up"], f"A sync by {kind} looked up users again: {done.counts['looked_up']}.")
            sent, target = vendor.calls() - before, vendor.open_by(kind, BATCH)
            most = (target.limits.listing(len(wanted)) if target.lists else 0) + _finding(vendor, kind)
            must(sent <= most, f"A sync of the same users by {kind} again took {sent} requests, not {most}.")
            sync(vendor.open_by(kind, BATCH), (), folder)
            must_be(vendor.members(), (), f"The members after a sync by {kind} without users")


def _finding(vendor: VendorFake, kind: str) -> int:
    """Return how many requests it takes to find the segment."""
    before = vendor.calls()
    vendor.open_by(kind, BATCH).key()
    return vendor.calls() - before


def _spellings(vendor: VendorFake, kind: str, user: str) -> Iterator[str]:
    value = vendor.identity_of(kind, user)
    yield value
    yield from vendor.spellings(kind, value)
