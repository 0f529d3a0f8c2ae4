"""Holds what the API answers against what its description says, answer by answer."""

import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs
from fastapi import FastAPI
from starlette.routing import compile_path


class Described:
    """
    The description of an app, as a hook for the responses of a client.

    Parameters
    ----------
    app
        Whose description.
    """

    def __init__(self, app: FastAPI) -> None:
        self._document = app.openapi()
        self._paths = [(compile_path(path)[0], path) for path in self._document["paths"]]
        self._validator = cache(self._made)

    def __call__(self, response: httpx.Response) -> None:
        """Check a good answer: its status, its media type, and JSON by its schema."""
        content = self._content(response)
        if content is None:
            return
        kind = response.headers.get("content-type", "").partition(";")[0]
        where = f"{response.request.method} {response.request.url.path}"
        assert kind in content, f"{where}: {kind} is not described, but {sorted(content)} are"
        if kind.endswith("json"):
            response.read()
            path = self._path(response.request.url.path)
            assert path is not None
            key = (path, response.request.method.lower(), str(response.status_code), kind)
            wrong = [
                f"{'.'.join(map(str, error.instance_path))}: {error.message[:300]}"
                for error in self._validator(key).iter_errors(response.json())
            ]
            assert not wrong, f"{where}: {wrong[:3]}"

    def _path(self, path: str) -> str | None:
        """Find the described path, of several the one with the fewest parameters."""
        found = [name for pattern, name in self._paths if pattern.match(path)]
        return min(found, key=lambda name: len(re.findall("{", name)), default=None)

    def _content(self, response: httpx.Response) -> dict[str, Any] | None:
        path = self._path(response.request.url.path)
        if path is None or response.status_code not in range(200, 300):
            return None
        routes = self._document["paths"][path]
        route = routes.get(response.request.method.lower())
        if route is None or response.status_code == 204:
            return None
        said: dict[str, Any] | None = route["responses"].get(str(response.status_code))
        assert said is not None, f"{path}: {response.status_code} is not described"
        content: dict[str, Any] = said["content"]
        return content

    def _made(self, key: tuple[str, str, str, str]) -> jsonschema_rs.Draft202012Validator:
        path, method, status, kind = key
        schema = self._document["paths"][path][method]["responses"][status]["content"][kind]
        whole = {**schema["schema"], "components": self._document["components"]}
        return jsonschema_rs.Draft202012Validator(whole)
