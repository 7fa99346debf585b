#!/bin/bash
# Installs the Debian 12 packages that Berth needs, if any is missing.
# usage: deploy/install-packages.sh build|test|check
#   build   to build and run Berth      test   also to run its tests      check   also for the style checks
set -euo pipefail

packages=(g++ cmake ninja-build pkg-config ccache mold
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libgrpc++-dev libabsl-dev libre2-dev libc-ares-dev zlib1g-dev
  libspdlog-dev libfmt-dev libsqlite3-dev libssl-dev nlohmann-json3-dev libtomlplusplus-dev libcli11-dev libseccomp-dev
  libgoogle-perftools-dev python3-minimal libpython3-stdlib procps)
# Without these some tests cannot run; they say so.
optional=()
case "${1:-}" in
  build) ;;
  test)
    packages+=(libgtest-dev sqlite3)
    optional=(qemu-system-x86 debootstrap cpio zstd e2fsprogs binutils)
    ;;
  check) packages+=(libgtest-dev sqlite3 clang-14 libclang-rt-14-dev clang-format-14 git dpkg-dev) ;;
  *)
    echo "usage: deploy/install-packages.sh build|test|check" >&2
    exit 2
    ;;
esac

missing_of() { # PACKAGE...
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)" = installed ] || echo "$package"
  done
}
mapfile -t missing < <(missing_of "${packages[@]}")
mapfile -t wanted < <(missing_of "${optional[@]}")
[ $((${#missing[@]} + ${#wanted[@]})) -eq 0 ] && exit 0

root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    [ ${#missing[@]} -gt 0 ] || exit 0
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
install() { # PACKAGE...
  echo "installing $# Debian packages: $*"
  apt update && apt install -y --no-install-recommends "$@"
}
if [ ${#missing[@]} -gt 0 ] && ! install "${missing[@]}"; then
  tail -n 20 "$log" >&2
  echo "error: apt-get could not install the packages; its last lines are above" >&2
  exit 1
fi
if [ ${#wanted[@]} -gt 0 ] && ! install "${wanted[@]}"; then
  echo "these could not be installed, some tests will be skipped: ${wanted[*]}" >&2
fi
