#!/bin/bash
# A small center on this machine's loopback: one scheduler and some agents whose devices are simulated but whose
# jobs are real processes.
#
#   deploy/dev-cluster.sh up --dir /tmp/center --nodes 4 --devices 8
#   . /tmp/center/env            # now `berth` works as the operator
#   deploy/dev-cluster.sh down --dir /tmp/center
#
# `up` on the same folder starts whatever is not running and keeps the data. Nothing is built here: the programs come
# from build/bin, or from BERTH_BIN.
set -euo pipefail

usage() {
  cat <<'END'
usage: deploy/dev-cluster.sh up|down|status --dir DIR [options of up]

  --dir DIR           everything of this center: data, logs, tokens, pid files
  --nodes N           agents to start: node-1 ... node-N (default 4)
  --devices M         simulated devices of each (default 8); "real": the machine's NVIDIA devices, shared out evenly
  --class NAME        class of the simulated devices (default sim-a100-80g)
                      lines appended to DIR/agent-N.faults, as "xid 79 on device 3", happen to them
  --isolation POLICY  off (default), allow or require: what keeps jobs apart. off: they are yours, run as you and see your
                      files; allow, as root: as on a real node, a user, /tmp, /dev and limits of their own for each, and
                      root file systems in DIR/images for --image
  --config KEY=VALUE  a setting of the scheduler, e.g. lease.timeout=10s; may be repeated

Options that are not given are as in the last `up` on this DIR.
END
}

fail() {
  echo "error: $1" >&2
  shift
  [ $# -eq 0 ] || printf '  %s\n' "$@" >&2
  exit 1
}

usage_error() {
  echo "error: $1" >&2
  usage >&2
  exit 2
}

# ---- arguments ----

verb=${1:-}
case "$verb" in
  up | down | status) shift ;;
  -h | --help | help)
    usage
    exit 0
    ;;
  *) usage_error "the first argument is up, down or status" ;;
esac
dir='' nodes='' devices='' class='' isolation='' settings=()
while [ $# -gt 0 ]; do
  option=${1%%=*}
  case "$1" in
    --*=*) value=${1#*=} && shift ;;
    -h | --help)
      usage
      exit 0
      ;;
    --*)
      [ $# -ge 2 ] || usage_error "$1 needs a value"
      value=$2
      shift 2
      ;;
    *) usage_error "unexpected argument: $1" ;;
  esac
  case "$option" in
    --dir) dir=$value ;;
    --nodes) nodes=$value ;;
    --devices) devices=$value ;;
    --class) class=$value ;;
    --isolation) isolation=$value ;;
    --config) settings+=("$value") ;;
    *) usage_error "unknown option $option" ;;
  esac
done
[ -n "$dir" ] || usage_error "--dir is missing"

repository=$(cd "$(dirname "$0")/.." && pwd)
bin=${BERTH_BIN:-$repository/build/bin}
[ "$verb" = up ] && mkdir -p "$dir"
[ -d "$dir" ] || fail "there is no center in $dir" "fix:  deploy/dev-cluster.sh up --dir $dir"
dir=$(cd "$dir" && pwd -P)
# The admin socket's path must fit into a socket address.
[ ${#dir} -le 80 ] || fail "the path $dir is too long: at most 80 characters"

# ---- processes ----

# Whether the process of a pid file runs and is ours: its command line names our configuration file. A zombie has none.
running() {
  local name=$1 pid words
  pid=$(cat "$dir/$name.pid" 2>/dev/null) || return 1
  for _ in 1 2 3; do
    words=$(tr '\0' '\n' 2>/dev/null <"/proc/${pid:-none}/cmdline") 2>/dev/null || return 1
    [ -z "$words" ] || break
    sleep 0.01 # a process has no words while it replaces its program
  done
  grep -qxF -- "$dir/$name.toml" <<<"$words"
}

start() {
  local name=$1 program=$2
  shift 2
  rm -f "$dir/$name.pid"
  # The lock of this script must not live on in the daemon.
  setsid "$bin/$program" --config "$dir/$name.toml" "$@" </dev/null >>"$dir/$name.log" 2>&1 9>&- &
  echo $! >"$dir/$name.pid"
  # Until the program has replaced this script in the new process, nothing tells the process from a stranger.
  while ! running "$name" && kill -0 $! 2>/dev/null; do sleep 0.002; done
}

show_log() {
  echo "the last lines of $dir/$1.log:" >&2
  tail -n 15 "$dir/$1.log" >&2
}

# Waits until the command succeeds; gives up when the daemon is gone or the seconds are over.
await() {
  local seconds=$1 name=$2 deadline
  shift 2
  deadline=$((SECONDS + seconds))
  while ! "$@"; do
    if ! running "$name"; then
      show_log "$name"
      fail "$name has ended"
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      show_log "$name"
      fail "$name is not ready after $seconds s"
    fi
    sleep 0.05
  done
}

stop() {
  local name=$1 pid deadline=$((SECONDS + 10))
  if running "$name"; then
    pid=$(cat "$dir/$name.pid")
    kill -TERM "$pid" 2>/dev/null || true
    while running "$name" && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.02; done
    if running "$name"; then kill -KILL "$pid" 2>/dev/null || true; fi
  fi
  rm -f "$dir/$name.pid"
}

# Processes whose environment places them in this center: what tasks of its agents have started.
task_pids() {
  grep -lzE -- "^BERTH_[A-Z_]+=$dir/agent-[0-9]+/" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 || true
}

shim_pids() {
  local path
  find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname '*/berth-shim*' 2>/dev/null | while read -r path; do
    if grep -qsF -- "$dir/" "${path%exe}cmdline"; then cut -d/ -f3 <<<"$path"; fi
  done
}

agents() {
  local file
  for file in "$dir"/agent-*.toml; do
    if [ -e "$file" ]; then basename "$file" .toml; fi
  done | sort -V
}

berth() { BERTH_SERVER=$(cat "$dir/address") BERTH_TOKEN_FILE=$dir/operator.token "$bin/berth" "$@"; }

ready_nodes() { berth nodes -o json 2>/dev/null | { grep -oE '"state": *"ready"' || true; } | wc -l; }

# ---- up ----

remember_settings() {
  if [ -r "$dir/settings" ]; then
    local saved_nodes saved_devices saved_class saved_isolation saved_config
    { read -r saved_nodes saved_devices saved_class saved_isolation && mapfile -t saved_config; } <"$dir/settings"
    nodes=${nodes:-$saved_nodes} devices=${devices:-$saved_devices} class=${class:-$saved_class}
    isolation=${isolation:-$saved_isolation}
    [ ${#settings[@]} -gt 0 ] || settings=("${saved_config[@]}")
  fi
  nodes=${nodes:-4} devices=${devices:-8} class=${class:-sim-a100-80g}
  isolation=${isolation:-off}
  [[ $isolation =~ ^(off|allow|require)$ ]] || usage_error "--isolation takes off, allow or require"
  [[ $nodes =~ ^[1-9][0-9]{0,3}$ ]] || usage_error "--nodes takes a number from 1 to 9999"
  [[ $devices =~ ^([0-9]{1,2}|real)$ ]] || usage_error "--devices takes a number from 0 to 99, or real"
  [[ $class =~ ^[a-z0-9][a-z0-9.-]{0,62}$ ]] || usage_error "--class takes lower-case letters, digits, '-' and '.'"
  { echo "$nodes $devices $class $isolation" && printf '%s\n' "${settings[@]}"; } >"$dir/settings.tmp"
  mv "$dir/settings.tmp" "$dir/settings"
}

start_scheduler() {
  local address options=() setting
  # The port stays the same for the life of the folder, so that agents and clients find a restarted scheduler.
  address=$(cat "$dir/address" 2>/dev/null || echo 127.0.0.1:0)
  cat >"$dir/berthd.toml" <<END
listen = "$address"
port_file = "$dir/port"
data_dir = "$dir/data"

[nodes]
heartbeat_interval = "1s"
suspect_after = "5s"
END
  for setting in "${settings[@]}"; do [ -z "$setting" ] || options+=(--set "$setting"); done
  rm -f "$dir/port"
  start berthd berthd "${options[@]}"
  await 20 berthd test -s "$dir/port"
  cp "$dir/port" "$dir/address.tmp" && mv "$dir/address.tmp" "$dir/address"
}

create_operator() {
  if [ -s "$dir/operator.token" ] && berth whoami >/dev/null 2>&1; then return; fi
  (umask 077 && "$bin/berth" admin bootstrap --socket "$dir/data/admin.sock" >"$dir/operator.token.tmp") ||
    fail "the first operator could not be created"
  mv "$dir/operator.token.tmp" "$dir/operator.token"
}

write_env() {
  cat >"$dir/env.tmp" <<END
export BERTH_SERVER=$(cat "$dir/address")
export BERTH_TOKEN_FILE=$(printf %q "$dir/operator.token")
case ":\$PATH:" in *:$(printf %q "$bin"):*) ;; *) export PATH=$(printf %q "$bin"):"\$PATH" ;; esac
END
  mv "$dir/env.tmp" "$dir/env"
}

# The devices of agent number $1 as TOML.
device_settings() {
  if [ "$devices" != real ]; then
    printf '[devices]\nkind = "simulated"\nreread = "1s"\ninventory_script = "%s"\nfault_script = "%s"\nsample_script = "%s"\n' \
      "$dir/agent-$1.devices" "$dir/agent-$1.faults" "$dir/agent-$1.samples"
    [ "$devices" = 0 ] || printf '\n[[simulated]]\nclass = "%s"\ncount = %s\nmemory = "80GiB"\n' "$class" "$devices"
    return
  fi
  local total share first
  total=$(find /dev -maxdepth 1 -name 'nvidia[0-9]*' | wc -l)
  share=$((total / nodes))
  [ "$share" -gt 0 ] || fail "this machine has $total NVIDIA devices, too few for $nodes nodes"
  first=$((share * ($1 - 1)))
  printf '[devices]\nkind = "nvidia"\nindexes = [%s]\n' "$(seq -s ', ' "$first" $((first + share - 1)))"
}

start_agent() {
  local number=$1 name=agent-$1
  if [ ! -s "$dir/$name.token" ]; then
    (umask 077 && berth token create --node "node-$number" --lifetime 365d | grep -oE 'brth_[A-Za-z0-9_]+' >"$dir/$name.token.tmp") ||
      fail "no token for node-$number"
    mv "$dir/$name.token.tmp" "$dir/$name.token"
  fi
  {
    cat <<END
server = "$(cat "$dir/address")"
node = "node-$number"
token_file = "$dir/$name.token"
data_dir = "$dir/$name"
lock_dir = "$dir/locks"

[topology]
pod = "pod-1"
rack = "rack-$(((number + 3) / 4))"

[isolation]
policy = "$isolation"

[images]
folders = ["$dir/images"]

# Jobs find berth (notify, rsh), as on a node where it is installed.
[env]
PATH = "$bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

END
    device_settings "$number"
  } >"$dir/$name.toml"
  start "$name" berth-agent
}

up() {
  local program number missing
  for program in berthd berth-agent berth-shim berth; do
    [ -x "$bin/$program" ] || fail "there is no $bin/$program" \
      "fix:  cmake -S . -B build -G Ninja && cmake --build build --target berthd berth-agent berth-shim berth" \
      "      or set BERTH_BIN to the folder that holds the programs"
  done
  remember_settings
  mkdir -p "$dir/locks"
  running berthd || start_scheduler
  create_operator
  write_env
  for number in $(seq "$nodes"); do
    running "agent-$number" || start_agent "$number"
  done
  local deadline=$((SECONDS + 60))
  while missing=$((nodes - $(ready_nodes))) && [ "$missing" -gt 0 ]; do
    for number in $(seq "$nodes"); do
      running "agent-$number" || { show_log "agent-$number" && fail "agent-$number has ended"; }
    done
    running berthd || { show_log berthd && fail "berthd has ended"; }
    [ "$SECONDS" -lt "$deadline" ] || { berth nodes >&2 && fail "$missing of $nodes nodes are not ready after 60 s"; }
    sleep 0.05
  done
  echo "the center is up: $nodes nodes, scheduler at $(cat "$dir/address")"
  echo "  . $dir/env"
}

# ---- down, status ----

down() {
  local name pids round
  for name in $(agents); do stop "$name"; done
  # Tasks outlive their agent, so they are ended here. A shim takes its task's processes with it; what had no
  # namespace of its own is found by its environment. The scheduler stays up to here, so that nothing is requeued.
  for round in 1 2 3 4 5; do
    pids=$(shim_pids; task_pids)
    [ -n "$pids" ] || break
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    sleep "0.$round"
  done
  stop berthd
  pids=$(shim_pids; task_pids)
  # shellcheck disable=SC2086
  [ -z "$pids" ] || fail "processes that do not end:" $pids
  echo "the center is down; its data stays in $dir"
}

status() {
  local name healthy=0
  for name in berthd $(agents); do
    if running "$name"; then
      echo "$name: running, pid $(cat "$dir/$name.pid")"
    else
      echo "$name: not running"
      healthy=1
    fi
  done
  if running berthd; then berth nodes || healthy=1; fi
  return "$healthy"
}

exec 9>"$dir/.lock"
flock -w 120 9 || fail "another dev-cluster.sh works on $dir"
"$verb"
