#!/bin/bash
# Runs once, when the database's volume is new: the owner of the tables, and the service that owns
# nothing and signs in with a password of its own.
set -euo pipefail

psql --quiet --set=ON_ERROR_STOP=1 --set=password="$GIS_SERVICE_PASSWORD" \
    --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE gis_owner NOLOGIN;
CREATE ROLE gis_service LOGIN PASSWORD :'password';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO gis_owner;
GRANT USAGE ON SCHEMA public TO gis_service;
SQL
