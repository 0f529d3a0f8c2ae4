"""Browser libraries from a folder: exactly those of the lock, or nothing."""

import base64
import hashlib
import importlib.util
import io
import json
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/lib/browser_libraries.py"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, in a web folder of its own."""
    spec = importlib.util.spec_from_file_location("browser_libraries", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "WEB", tmp_path / "web")
    (tmp_path / "web").mkdir()
    return module


def packed(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, body in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    return out.getvalue()


def lock(script: ModuleType, bodies: dict[str, bytes]) -> None:
    libraries = {
        f"node_modules/{name}": {
            "version": "1.0.0",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(body).digest()).decode(),
        }
        for name, body in bodies.items()
    }
    (script.WEB / "package-lock.json").write_text(
        json.dumps({"packages": {"": {}, **libraries}}), "utf-8"
    )


def test_libraries_are_unpacked_in_place_of_what_was_there(
    script: ModuleType, tmp_path: Path
) -> None:
    bodies = {
        "leaflet": packed({"dist/leaflet.js": b"L", "package.json": b"{}"}),
        "@maplibre/mlt": packed({"index.js": b"M"}),
    }
    lock(script, bodies)
    (tmp_path / "leaflet-1.0.0.tgz").write_bytes(bodies["leaflet"])
    (tmp_path / "maplibre-mlt-1.0.0.tgz").write_bytes(bodies["@maplibre/mlt"])
    old = script.WEB / "node_modules" / "old.js"
    old.parent.mkdir()
    old.touch()
    script.unpack(tmp_path)
    assert (script.WEB / "node_modules/leaflet/dist/leaflet.js").read_bytes() == b"L"
    assert (script.WEB / "node_modules/@maplibre/mlt/index.js").read_bytes() == b"M"
    assert not old.exists()


def test_another_file_than_the_locks_is_refused_and_nothing_is_touched(
    script: ModuleType, tmp_path: Path
) -> None:
    lock(script, {"leaflet": packed({"a.js": b"a"})})
    (tmp_path / "leaflet-1.0.0.tgz").write_bytes(packed({"a.js": b"other"}))
    kept = script.WEB / "node_modules" / "kept.js"
    kept.parent.mkdir()
    kept.touch()
    with pytest.raises(SystemExit, match="not the file"):
        script.unpack(tmp_path)
    assert kept.exists()


def test_a_missing_file_is_named(script: ModuleType, tmp_path: Path) -> None:
    lock(script, {"leaflet": b""})
    with pytest.raises(SystemExit, match=r"leaflet-1\.0\.0\.tgz is missing"):
        script.unpack(tmp_path)


def test_a_library_that_leaves_its_folder_is_not_unpacked(
    script: ModuleType, tmp_path: Path
) -> None:
    body = packed({"../../../../evil.js": b"x"})
    lock(script, {"leaflet": body})
    (tmp_path / "leaflet-1.0.0.tgz").write_bytes(body)
    with pytest.raises(SystemExit, match="leaves its folder"):
        script.unpack(tmp_path)
    assert not list(tmp_path.rglob("evil.js"))
