#!/bin/sh
# Pull mode: fetches the orders of the back office and answers each. Start it as
#
#     SUPPLIER=http://127.0.0.1:8080 SECRET=back-office-secret sh docs/pull.sh
set -eu
: "${SUPPLIER:?is to be set: where the supplier is}" "${SECRET:?is to be set: of the client back-office}"

# Prints what Python makes of the JSON that comes in, as `found`.
json() { python3 -c "import json, sys; found = json.load(sys.stdin); $1"; }
call() { curl --fail-with-body -sS -m 60 -H "Authorization: Bearer $token" "$@"; }

# Your part. The same order may come again: here it would be the same file.
take() { mkdir -p orders && printf '%s\n' "$2" > "orders/$1.json"; }

while :; do
    granted=$(curl -fsS -u "back-office:$SECRET" -d grant_type=client_credentials \
        "$SUPPLIER/oauth2/token") || { sleep 5; continue; }
    token=$(printf '%s' "$granted" | json 'print(found["access_token"])')
    call "$SUPPLIER/back-office/v1/work-orders?limit=50&wait=30" > fetched.json ||
        { cat fetched.json >&2; sleep 5; continue; }
    json '[print(o["id"], o["claim"], o["reference"], json.dumps(o)) for o in found["orders"]]' \
        < fetched.json | while read -r id claim reference order; do
            take "$id" "$order"
            call "$SUPPLIER/back-office/v1/work-orders/$id/answer" -H "Content-Type: application/json" \
                -d "{\"claim\": $claim, \"ticket\": \"T-${reference#SP_}\"}" || :
            echo
        done
done
