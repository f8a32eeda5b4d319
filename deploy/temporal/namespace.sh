#!/bin/sh
# Makes the namespace when it is missing. A closed checkout stays visible for 30 days; Postgres keeps its books for good.
set -eu

until temporal operator cluster health >/dev/null 2>&1; do sleep 1; done
temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention 30d
