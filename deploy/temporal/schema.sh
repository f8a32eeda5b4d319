#!/bin/sh
# Makes Temporal's two databases and brings their schemas up to date; again and again without harm.
set -eu

prepare() {
    tool="temporal-sql-tool --plugin postgres12 --ep $SQL_HOST -p 5432 -u $SQL_USER --db $1"
    $tool create
    $tool setup-schema -v 0.0
    $tool update-schema -d "/etc/temporal/schema/postgresql/v12/$2/versioned"
}

prepare temporal temporal
prepare temporal_visibility visibility
