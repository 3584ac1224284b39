"""The vendors under contract; register a new one here."""

from __future__ import annotations

from tests.contract.alteryx import Alteryx
from tests.contract.contracted import Contracted
from tests.contract.docebo import Docebo
from tests.contract.walkme import WalkMe
from tests.contract.zendesk import Zendesk

VENDORS: list[type[Contracted]] = [WalkMe, Alteryx, Docebo, Zendesk]
