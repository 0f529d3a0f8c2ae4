"""Small OpenStreetMap files for tests, drawn by hand in units of 0.001° around 112.9, 28.7."""

from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr


class Drawing:
    """Nodes by letter on a little plane; ways and relations of them."""

    def __init__(self) -> None:
        self._nodes: dict[str, tuple[int, float, float]] = {}
        self._tagged: dict[str, dict[str, str]] = {}
        self._left_out: set[str] = set()
        self._ways: list[str] = []
        self._relations: list[str] = []

    def node(self, letter: str, x: float, y: float, **tags: str) -> int:
        """Place a node; its id is the count of nodes."""
        self._nodes[letter] = (len(self._nodes) + 1, x, y)
        self._tagged[letter] = tags
        return self._nodes[letter][0]

    def nodes(self, **places: tuple[float, float]) -> None:
        """Place several nodes."""
        for letter, (x, y) in places.items():
            self.node(letter, x, y)

    def leave_out(self, letters: str) -> None:
        """Refer to these nodes, but do not write them: the extract was cut there."""
        self._left_out |= set(letters)

    def way(self, way_id: int, letters: Sequence[str], **tags: str) -> None:
        """Draw a way along nodes."""
        refs = "".join(f'<nd ref="{self._nodes[letter][0]}"/>' for letter in letters)
        self._ways.append(f'<way id="{way_id}" version="1">{refs}{_tags(tags)}</way>')

    def relation(self, relation_id: int, members: dict[int, str], **tags: str) -> None:
        """Join ways; ``members`` is the role by way id."""
        text = "".join(
            f'<member type="way" ref="{ref}" role="{role}"/>' for ref, role in members.items()
        )
        head = f'<relation id="{relation_id}" version="1">'
        self._relations.append(f"{head}{text}{_tags(tags)}</relation>")

    def restriction(
        self, relation_id: int, came: int, via: str | int, goes: int, **tags: str
    ) -> None:
        """Restrict a turn from a way to a way; ``via`` is a node's letter or a way."""
        over = ("node", self._nodes[via][0]) if isinstance(via, str) else ("way", via)
        text = "".join(
            f'<member type="{kind}" ref="{ref}" role="{role}"/>'
            for kind, ref, role in (("way", came, "from"), (*over, "via"), ("way", goes, "to"))
        )
        head = f'<relation id="{relation_id}" version="1">'
        self._relations.append(f"{head}{text}{_tags({'type': 'restriction'} | tags)}</relation>")

    def text(self) -> str:
        """Write the file's text."""
        nodes = [
            f'<node id="{ref}" version="1"'
            f' lon="{112.9 + x / 1000:.7f}" lat="{28.7 + y / 1000:.7f}">'
            f"{_tags(self._tagged[letter])}</node>"
            for letter, (ref, x, y) in self._nodes.items()
            if letter not in self._left_out
        ]
        body = "\n".join([*nodes, *self._ways, *self._relations])
        return f'<?xml version="1.0"?>\n<osm version="0.6">\n{body}\n</osm>\n'

    def save(self, folder: Path, name: str = "drawn.osm") -> Path:
        """Write the file."""
        path = folder / name
        path.write_text(self.text(), "utf-8")
        return path


def _tags(tags: dict[str, str]) -> str:
    # a double underscore stands for the colon of keys such as addr:street
    pairs = ((key.replace("__", ":"), value) for key, value in tags.items())
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in pairs)
