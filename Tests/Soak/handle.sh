# What the worker of a soak runs for each message: writes down that it had it, and that it is done with it. It is told
# nothing of when the message was claimed, only that this wasn't long ago.
read -r line
token=${line##*\"content\":\"}
token=${token%%\"*}
note() {
  read -r t rest </proc/uptime
  printf '{"t":%s,"client":"%s","op":"%s","bot":"%s","id":"%s","attempt":%s,"token":"%s","began":%s,"after":%s}\n' \
    "$t" "$SOAK_CLIENT" "$1" "$SPOOL_BOT" "$SPOOL_ID" "$SPOOL_ATTEMPT" "$token" "$t" "$((${t%.*} - 2))" >>"$SOAK_HISTORY"
}
note received
case $SPOOL_ID in
*[0-3])
  sleep 0.02
  ;;
*f7)
  sleep 2
  ;;
*e)
  note nacking
  exit 75
  ;;
esac
note acking
