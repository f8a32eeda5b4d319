#!/bin/sh
# At the first start: a role of its own for Temporal, which can make its databases and cannot read the books.
set -eu

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set password="$TEMPORAL_DB_PASSWORD" <<'SQL'
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'password';
REVOKE CONNECT ON DATABASE paysaga FROM PUBLIC;
SQL
