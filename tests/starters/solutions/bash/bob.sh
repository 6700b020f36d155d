#!/usr/bin/env bash
# A right Bob, with websocat and jq: bash bob.sh ADDRESS [NAME]

address="$1&name=${2:-bob}&types=order_placed&ack=manual"
trap '' PIPE # what is said to a connection that has ended is lost, and no more
declare -A seen confirmed
last=

rules='
  def whole: type == "number" and . == floor;
  (.data.quantity // 1) as $many
  | if (.data.id | whole | not) or .data.id < 1 then "invalid_id"
    elif ($many | whole | not) or $many < 1 or $many > 100 then "invalid_quantity"
    elif .data.item != null and ([.data.item] - ["espresso", "cappuccino", "hot chocolate", "mint tea",
      "lemonade", "croissant", "cheese sandwich", "tomato soup", "apple pie", "blueberry muffin"]) != []
      then "unknown_item"
    elif .data.note != null and ((.data.note | type) != "string" or (.data.note | length) > 200)
      then "invalid_note"
    elif $known != "" then "duplicate_order"
    else "" end'
answer='
  {id: .data.id, customer: .source, event: .id} as $about
  | if $reason == "" then {type: "order_confirmed", data: $about}
    else {type: "order_rejected", data: ($about + {reason: $reason, message: "I cannot make that: \($reason)."})} end'

say() { # MESSAGE [ORDER]: what to ack once it is accepted, or -
  sent+=("${2:--}")
  printf '%s\n' "$1" >&"${WS[1]}"
}
ack() { printf '{"type": "broker.ack", "data": {"event": "%s"}}\n' "$1" >&"${WS[1]}"; }

hear() {
  local type id attempt order reason
  IFS=$'\t' read -r type id attempt order < <(
    jq -r '[.type, .id, .attempt // 0, "\(.source)/\(.data.id)"] | @tsv' <<<"$1")
  if [[ $type == broker.accepted ]]; then
    [[ ${sent[0]} != - ]] && ack "${sent[0]}"
    sent=("${sent[@]:1}")
  elif [[ $type != broker.* ]]; then
    if [[ $type == order_placed && -z ${seen[$id]} ]]; then
      seen[$id]=1
      reason=$(jq -r --arg known "${confirmed[$order]}" "$rules" <<<"$1")
      [[ -z $reason ]] && confirmed[$order]=1
      say "$(jq -c --arg reason "$reason" "$answer" <<<"$1")" "$id"
    elif ((attempt > 1)); then
      ack "$id"
    fi
    last=$id
  fi
}

while true; do
  coproc WS { exec websocat -tE "$address${last:+&after=$last}" 2>/dev/null; }
  sent=() socket=$WS_PID
  if [[ -z $last ]]; then
    say '{"type": "hello_said", "data": {}}'
    say "{\"type\": \"order_placed\", \"data\": {\"id\": $((RANDOM + 1)), \"item\": \"espresso\"}}"
  fi
  while IFS= read -r line <&"${WS[0]}"; do hear "$line"; done
  wait "$socket"
  sleep 0.2
done 2>/dev/null
