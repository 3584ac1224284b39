"""The vendors under test; register a new one's scene here."""

from __future__ import annotations

from tests.faults.alteryx_scene import AlteryxScene
from tests.faults.docebo_scene import DoceboScene
from tests.faults.scene import Scene
from tests.faults.walkme_scene import WalkMeScene
from tests.faults.zendesk_scene import ZendeskScene

SCENES: list[type[Scene]] = [WalkMeScene, AlteryxScene, DoceboScene, ZendeskScene]
