#!/bin/bash
# From a fresh Debian 12 machine to two tenants' training jobs, run to their end under quotas, in one command.
set -euo pipefail

usage() {
  cat <<'END'
usage: deploy/quickstart.sh [--keep] [--dir DIR]

Installs the Debian packages that are missing, builds Berth, starts a small center on this machine, and runs a training
job of each of two tenants. Nothing is left running at the end.

  --keep     leave the center running, to play with it
  --dir DIR  where the center lives (default: a new folder under /tmp; with --keep also afterwards)
END
}

keep='' dir=''
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=yes ;;
    --dir=*) dir=${1#*=} ;;
    --dir)
      shift
      dir=${1:-}
      [ -n "$dir" ] || { usage >&2 && exit 2; }
      ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
  esac
  shift
done

if [ -e "$dir/settings" ]; then
  echo "error: there is a center in $dir already" >&2
  echo "  fix:  deploy/dev-cluster.sh up --dir $dir     # goes on with it" >&2
  exit 1
fi
case "$dir" in '' | /*) ;; *) dir=$PWD/$dir ;; esac
cd "$(dirname "$0")/.."
training=$PWD/deploy/examples/train_iris
follower='' started=''

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi

step() { printf '\n%s== %s%s  %s(%d s)%s\n' "$bold" "$1" "$plain" "$dim" "$SECONDS" "$plain"; }
say() { printf '%s\n' "$*"; }

# Shows a command as a person would type it, and runs it.
show() {
  printf '%s$ %s%s\n' "$dim" "$*" "$plain"
  "$@"
}

clean_up() {
  local code=$?
  trap - EXIT INT TERM
  if [ -n "$follower" ]; then kill "$follower" 2>/dev/null || true; fi
  if [ -n "$started" ] && [ -z "$keep" ]; then
    deploy/dev-cluster.sh down --dir "$dir" >/dev/null || code=1
    if [ -n "$temporary" ] && [[ $code =~ ^(0|130|143)$ ]]; then
      rm -rf "$dir"
    else
      say "the center is down; its data and logs are in $dir"
    fi
  fi
  exit "$code"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build() {
  step "Packages"
  deploy/install-packages.sh build
  say "all there"
  step "Build  (the first time takes some minutes; BERTH_BIN=FOLDER uses programs that are built already)"
  if [ -n "${BERTH_BIN:-}" ]; then return; fi
  local log options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo)
  # The tests need more packages; a folder that builds them already goes on doing so.
  [ -e build/CMakeCache.txt ] || options+=(-DBERTH_TESTS=OFF -DBERTH_UNITY=ON)
  log=$(mktemp)
  if ! cmake -S . -B build -G Ninja "${options[@]}" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
  fi
  rm -f "$log"
  cmake --build build -j "$(nproc)" --target berthd berth-agent berth-shim berth
}

# Four agents with eight simulated devices each; or the real NVIDIA devices, shared out among at most four agents. The
# training asks for two nodes with four devices each, as far as there are so many.
choose_shape() {
  local real
  real=$(find /dev -maxdepth 1 -name 'nvidia[0-9]*' 2>/dev/null | wc -l)
  agents=4 per_agent=8 devices=8 job_nodes=2 job_devices=4
  if [ "$real" -gt 0 ]; then
    devices=real
    agents=$((real < 4 ? real : 4))
    per_agent=$((real / agents))
    job_nodes=$((agents < 2 ? 1 : 2))
    job_devices=$((per_agent < 4 ? per_agent : 4))
  fi
}

start_center() {
  step "A center on this machine: scheduler, $agents agents with $per_agent devices each"
  temporary=''
  if [ -z "$dir" ]; then
    dir=$(mktemp -d /tmp/berth-quickstart.XXXXXX)
    temporary=yes
  fi
  started=yes
  show deploy/dev-cluster.sh up --dir "$dir" --nodes "$agents" --devices "$devices"
  # shellcheck disable=SC1091
  . "$dir/env"
  class=$(berth nodes -o json | grep -oE '"class": *"[^"]+"' | head -n 1 | cut -d'"' -f4)
}

# A tenant that owns $2 devices and may use up to $3.
add_tenant() {
  berth tenant add "$1" >/dev/null
  berth project add research --tenant "$1" >/dev/null
  berth user add "$1-user" --tenant "$1" >/dev/null
  berth quota set "$1" --class "$class" --entitlement "$2" --limit "$3" >/dev/null
  (umask 077 && berth token create --tenant "$1" --user "$1-user" | grep -oE 'brth_[A-Za-z0-9_]+' >"$dir/$1.token")
  say "tenant $1: owns $2 x $class, may use up to $3; user $1-user; token in $dir/$1.token"
}

as() { # TENANT COMMAND...
  local token=$dir/$1.token
  shift
  BERTH_TOKEN_FILE=$token BERTH_PROJECT=research "$@"
}

submit_training() { # TENANT
  (cd "$training" && as "$1" berth submit --parsable --nodes "$job_nodes" --devices "$job_devices" --class "$class" \
    train.sh -- --epochs 40 --seconds-per-epoch 0.2)
}

watch_them_run() {
  step "Queue, quota and nodes while they run"
  as acme timeout 60 berth logs -f "$first" >"$dir/followed.log" 2>"$dir/followed.err" &
  follower=$!
  sleep 1
  show berth ps -A
  show berth quota
  show berth nodes
}

follow() {
  step "The log of acme's training, followed to its end"
  tail -n +1 -f --pid "$follower" "$dir/followed.log" || true
  wait "$follower" || { cat "$dir/followed.err" >&2 && exit 1; }
  follower=''
}

# A training is good when its job succeeded and the loss has fallen.
check_result() { # TENANT JOB
  local code=0 log first_loss last_loss
  as "$1" berth wait "$2" || code=$?
  log=$(as "$1" berth logs "$2")
  first_loss=$(sed -nE 's/^epoch .* loss ([0-9.]+) .*/\1/p' <<<"$log" | head -n 1)
  last_loss=$(sed -nE 's/^epoch .* loss ([0-9.]+) .*/\1/p' <<<"$log" | tail -n 1)
  say "job $2 of $1: exit code $code, $(grep '^done' <<<"$log" || echo 'no result')"
  [ "$code" = 0 ] && awk -v a="${first_loss:-0}" -v b="${last_loss:-1}" 'BEGIN { exit !(b < a) }'
}

build
choose_shape
start_center

step "Two tenants with quotas, each with a project, a user and a token"
# Each owns half of the center and may borrow the rest while it is idle.
all=$((agents * per_agent))
add_tenant acme $((all / 2)) "$all"
add_tenant globex $((all / 2)) "$all"

step "Each submits a training: $job_nodes nodes x $job_devices devices, one process per device"
first=$(submit_training acme)
second=$(submit_training globex)
say "acme's is job $first, globex's is job $second"
watch_them_run
follow

step "Results"
good=yes
check_result acme "$first" || good=''
check_result globex "$second" || good=''
say ""
say "What each had, as recorded in the database:"
show berth allocations "$first"
show berth allocations "$second"
[ -n "$good" ] || { say "error: a training did not end well; see berth show JOB" >&2 && exit 1; }

step "How to go on"
if [ -n "$keep" ]; then
  say "The center is still running. In this or another shell:"
  say "  . $dir/env                                 # berth as the operator"
  say "  export BERTH_TOKEN_FILE=$dir/acme.token BERTH_PROJECT=research   # or as acme's user"
  say "  berth run --devices 2 -- sh -c 'echo my devices: \$CUDA_VISIBLE_DEVICES'"
  say "  deploy/dev-cluster.sh down --dir $dir      # the end of it"
else
  say "deploy/quickstart.sh --keep leaves the center running, to play with it."
fi
say "docs/user-guide.md: jobs.  docs/admin-guide.md: tenants and quotas.  docs/operations.md: a real center."
