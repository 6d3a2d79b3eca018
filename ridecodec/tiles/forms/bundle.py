"""The card of `auto`: the very models that parts of pictures go to.

    python -m ridecodec.tiles.forms.bundle

writes it anew after one of them has been released anew; the number in its name rises once the card has been released.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from ridecodec.files.placing import placed
from ridecodec.models import registry
from ridecodec.models.registry import WEIGHTS, ModelCard
from ridecodec.tiles.forms.members import MEMBERS

NAME = "auto"
_FILE = "auto-1.json"
_PURPOSE = "any picture: each part uses the cheapest of several models and forms"


def card() -> ModelCard:
    """Of the members' current releases."""
    members = tuple((member.name, registry.current(member.name).hash) for member in MEMBERS)
    text = "".join(f"{name} {hash_}\n" for name, hash_ in members)
    return ModelCard(NAME, _PURPOSE, registry.short_hash(text.encode()), 0, (1, 2, 3, 4), None, None, members=members)


def main() -> None:
    """Write the card."""
    with placed(str(WEIGHTS / _FILE), force=True) as path:
        path.write_text(json.dumps(asdict(replace(card(), family="bundle")), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
