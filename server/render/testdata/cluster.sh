#!/bin/bash
CLUSTER_PROFILE=cluster
PROFILE_TOKEN=profile:cluster:2h0m0s
export RS_UUID=11111111-2222-4333-8444-555555555555
get_param() { drpcli machines get $RS_UUID param "$1" --aggregate | jq -r .; }

cl=$(get_param "my/leader")
while [[ $cl = "none" ]]; do
  drpcli -r "$cl" -T "$PROFILE_TOKEN" profiles set "cluster-name" param "my/leader" to "$RS_UUID" 2>/dev/null >/dev/null && break
  # sleep is is a hack but it allows for backoffs
  sleep 1
  # get the cluster info
  cl=$(get_param "my/leader")
done
drpcli machines update $RS_UUID "{\"Meta\":{\"color\":\"purple\", \"icon\": \"anchor\"}}" | jq .Meta
