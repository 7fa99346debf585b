#!/bin/bash
# Installs the Debian 12 packages that Berth needs, if any is missing.
# usage: deploy/install-packages.sh build|test|check
#   build   to build and run Berth      test   also to run its tests      check   also for the style checks
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config ccache mold
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libgrpc++-dev libabsl-dev libre2-dev libc-ares-dev zlib1g-dev
  libspdlog-dev libfmt-dev libsqlite3-dev libssl-dev nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libseccomp-dev
  python3-minimal libpython3-stdlib procps)
case "${1:-}" in
  build) ;;
  test) packages+=(libgtest-dev sqlite3) ;;
  check) packages+=(libgtest-dev sqlite3 clang-14 libclang-rt-14-dev clang-format-14 git dpkg-dev) ;;
  *)
    echo "usage: deploy/install-packages.sh build|test|check" >&2
    exit 2
    ;;
esac

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "error: these packages are missing, and installing them needs root: ${missing[*]}" >&2
    echo "  fix:  as root: apt-get install -y --no-install-recommends ${missing[*]}" >&2
    exit 1
  fi
  root=(sudo)
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@" >"$log" 2>&1
}
echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
if ! { apt update && apt install -y --no-install-recommends "${missing[@]}"; }; then
  tail -n 20 "$log" >&2
  echo "error: apt-get could not install the packages; its last lines are above" >&2
  exit 1
fi
