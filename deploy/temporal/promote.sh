#!/bin/sh
# Lets new checkouts start on this build, as soon as the server knows it: that is when one of its workers has polled.
set -eu

until temporal worker deployment set-current-version \
    --namespace "$TEMPORAL_NAMESPACE" --deployment-name paysaga --build-id "$BUILD_ID" --yes; do sleep 1; done
