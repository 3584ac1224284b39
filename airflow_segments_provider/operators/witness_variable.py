"""The newest generation of a segment's ledger, in an Airflow Variable."""

from __future__ import annotations

import logging
from hashlib import sha256

from airflow.providers.common.compat.sdk import Variable
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.sync.ledger.names import Moment
from airflow_segments_provider.sync.ledger.ownership import Seen

__all__ = ["LedgerVariable"]


logger = logging.getLogger(__name__)


class _Stored(BaseModel):
    """The value of the variable, as JSON.

    :param reported: the generation of the last change of which Airflow has an asset event.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, defer_build=True)

    segment: str
    generation: int = Field(ge=1)
    digest: str
    as_of: Moment | None
    reported: int = 0


class LedgerVariable:
    """A :class:`~airflow_segments_provider.sync.ledger.ownership.Witness` in an Airflow Variable.

    A variable belongs to the segment. Therefore it survives retries, for which Airflow deletes the XComs of a task, and
    does not depend on the order of runs, map indexes, ``do_xcom_push`` or which task keeps the segment. It holds no
    user IDs and no secrets.

    Airflow cannot compare and set a variable in one step. Where two runs write at the same moment, the older of two
    generations can remain, until the next run writes.

    :param folder: of the segment, below the ledger path.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.name = f"segments_ledger_{sha256(folder.encode()).hexdigest()[:40]}"
        self._last: _Stored | None = None

    def read(self) -> Seen | None:
        """Return the newest generation that was written, or None where there is no variable.

        :raises LedgerError: the variable is damaged.
        """
        stored = self._look()
        return Seen(stored.generation, stored.digest, stored.as_of) if stored else None

    def write(self, seen: Seen) -> None:
        """Store a generation, unless the variable has a newer one.

        Of a ledger without a variable, all changes before this generation count as reported.
        """
        stored = self._look()
        if stored is None or stored.generation <= seen.generation:
            reported = stored.reported if stored else seen.generation - 1
            self._set(
                _Stored(
                    segment=self.folder,
                    generation=seen.generation,
                    digest=seen.digest,
                    as_of=seen.as_of,
                    reported=reported,
                )
            )

    def is_reported(self, changed_in: int) -> bool:
        """Return whether Airflow has an asset event of this change, or of a later one.

        :param changed_in: the generation of the change; 0 for none.
        """
        stored = self._look()
        return stored is None or changed_in <= stored.reported

    def report(self, changed_in: int) -> None:
        """Store that Airflow has an asset event of this change, if the task succeeds.

        :param changed_in: the generation of the change; 0 for none.
        """
        stored = self._look()
        if stored is not None and stored.reported < changed_in:
            self._set(stored.model_copy(update={"reported": changed_in}))

    def _look(self) -> _Stored | None:
        """Read the variable.

        Airflow also returns no value where it cannot read the variable at the moment. Then the value that this run
        has read or written before applies.
        """
        value = Variable.get(self.name, None)
        if value is not None:
            self._last = self._parsed(value)
        return self._last

    def _parsed(self, value: str) -> _Stored:
        try:
            stored = _Stored.model_validate_json(value)
        except ValidationError:
            stored = None
        if stored is None or stored.segment != self.folder:
            raise LedgerError(
                f"The Airflow variable {self.name} is damaged: it does not say which generation of the ledger "
                f"{self.folder} was written last. Nothing was sent. If the ledger is in order, delete the variable and "
                "run the task again, which writes a new one. If the ledger may be lost or an older copy, also set "
                "`replace=True` for that run."
            )
        return stored

    def _set(self, stored: _Stored) -> None:
        self._last = stored
        description = f"Written by SyncMembersOperator: the newest generation of the ledger {self.folder}."
        try:
            Variable.set(self.name, stored.model_dump_json(), description)
        except ImportError:
            # Airflow 3 imports its API client here, which exists in tasks only.
            logger.warning(
                "The variable %s was not written, because this is not an Airflow task. A ledger that is lost is not "
                "detected.",
                self.name,
            )
