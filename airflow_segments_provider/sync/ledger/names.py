"""The names in a ledger, and the forms of its values. A file with another name does not belong to a ledger.

Others may have written to a ledger: a value of another form is damage, and never reaches SQL or a path.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from airflow_segments_provider.sources.ids import CONTROL_CHARACTERS, INVISIBLE

# The folders of a ledger.
GENERATIONS = "generations"
STATE = "state"
BATCHES = "batches"
ACKNOWLEDGED = "acknowledged"
NOTES = "notes"
LEASES = "leases"
PLANS = "plans"
APPROVALS = "approvals"
REPORTS = "reports"
# The ledger was deleted on purpose: what the witness has of it no longer counts.
FORGOTTEN = "forgotten"
# Creation markers, in the ledger of a vendor's system.
CREATION_MARKERS = "making"
# Below a ledger path, beside the folders of vendors: lists of users that a vendor does not have.
UNMATCHED = "unmatched"

_NUMBER, _HEX = "[0-9]{12}", "[0-9a-f]"

GENERATION = rf"{_NUMBER}\.json"
STATE_FILE = rf"state/{_NUMBER}-{_HEX}{{8}}-(snapshot|delta|identities)\.parquet"
BATCH_FILE = rf"batches/{_NUMBER}-{_HEX}{{8}}/[0-9]{{6,9}}-(add|remove)\.txt"
ACKNOWLEDGEMENT = r"([0-9]{6,9}-(add|remove)|empty)-[0-9]{6,10}\.json"
NOTE = rf"{_NUMBER}-{_HEX}{{12}}\.json"
RENEWAL = r"[0-9]{15}\.json"
APPROVAL = rf"{_NUMBER}-{_HEX}{{64}}\.json"
ENDING = "-end.json"
PLAN = APPROVAL
REPORT = rf"{_NUMBER}-({_HEX}{{12}}|invalid)"
# As `SegmentKey.folder` quotes the parts of a segment's identity.
FOLDER = r"[A-Za-z0-9._~%-]+"

# In milliseconds: from the year 1 to the year 5138, so that a period can be added.
EARLIEST, LATEST = -62_135_596_800_000, 100_000_000_000_000
MOST = 2**31 - 1
# IDs are stripped and have no control characters, as those of sources.
USER_ID = f"[^{CONTROL_CHARACTERS}{INVISIBLE}]([^{CONTROL_CHARACTERS}]*[^{CONTROL_CHARACTERS}{INVISIBLE}])?"
_HIDDEN = CONTROL_CHARACTERS + "\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"

Sha256 = Annotated[str, Field(pattern=f"^{_HEX}{{64}}$")]
PlanDigest = Annotated[str, Field(pattern=f"^sha256:{_HEX}{{64}}$")]
Token = Annotated[str, Field(pattern="^[0-9A-Za-z.-]{1,64}$")]
Owner = Annotated[str, Field(pattern=r"^[\w.-]*$", max_length=1_000)]
Run = Annotated[str, Field(pattern=r"^[\w.~:+/% -]*$", max_length=5_000)]
SegmentFolder = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~%/-]+$", max_length=10_000)]
# A name of a user of Airflow or of the system, or a sentence of the package.
Text = Annotated[str, Field(pattern=rf"^[^{_HIDDEN}]+$", max_length=500)]
UserId = Annotated[str, Field(pattern=f"^{USER_ID}$")]
Count = Annotated[int, Field(ge=0, le=MOST)]
Generation = Annotated[int, Field(ge=0, lt=10**12)]
Moment = Annotated[int, Field(ge=EARLIEST, le=LATEST)]
Period = Annotated[int, Field(ge=0, le=LATEST)]
Label = Annotated[str, Field(pattern="^[a-z_ ]{1,40}$")]
Counts = dict[Label, Count]
NoteName = Annotated[str, Field(pattern=f"^{NOTE}$")]


def text(value: str) -> str:
    """Return any text as a :data:`Text`."""
    return re.sub(f"[{_HIDDEN}]", " ", value).encode("utf-8", "replace").decode()[:500].strip() or "?"
