#!/bin/bash
# Installs what is missing, builds everything and runs every test. The last line counts them.
set -euo pipefail

usage() {
  cat <<'END'
usage: tests/run.sh [--quick] [--sanitize address|thread]

  --quick             unit tests only, no end-to-end tests
  --sanitize address  build with clang 14, its thread-safety analysis, ASan and UBSan in build-asan, run the unit
                      tests, random histories and a short search for faults
  --sanitize thread   build with TSan in build-tsan, run the unit tests that touch no gRPC type
END
}

cd "$(dirname "$0")/.."
mode=all
while [ $# -gt 0 ]; do
  case "$1" in
    --quick) mode=quick ;;
    --sanitize=address | --sanitize=thread) mode=${1#*=} ;;
    --sanitize)
      shift
      mode=${1:-}
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) mode='' ;;
  esac
  shift
done
case "$mode" in all | quick | address | thread) ;; *) usage >&2 && exit 2 ;; esac

passed=0 failed=0 skipped=0 failures=()
jobs=${BERTH_JOBS:-$(nproc)}

step() { printf '\n== %s  (%d min %02d s)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

# Whatever ends this script, the last lines name what failed and say how far it came; a step that broke counts as a failure.
finish() {
  local code=$?
  [ "$code" = 0 ] || [ "$failed" -gt 0 ] || { failed=1 && failures+=("tests/run.sh ended with $code"); }
  printf '\n'
  [ ${#failures[@]} = 0 ] || printf 'FAIL %s\n' "${failures[@]}"
  printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
  if [ "$failed" -gt 0 ]; then exit 1; fi
}
trap finish EXIT

build() { # FOLDER "TARGET..." [CMAKE OPTIONS]
  local folder=$1 targets
  read -ra targets <<<"$2"
  shift 2
  cmake -S . -B "$folder" -G Ninja -DBERTH_TESTS=ON -DBERTH_UNITY=ON "$@" >"$folder.log" 2>&1 || { cat "$folder.log" >&2 && exit 1; }
  rm -f "$folder.log"
  cmake --build "$folder" -j "$jobs" --target "${targets[@]}"
}

attribute() { grep -oE "\\b$2=\"[0-9]+\"" <<<"$1" | head -n 1 | tr -dc 0-9; }

# How many tests a report says to have ended so.
count_of() { # REPORT PASSED|SKIPPED
  { grep -oE "\[ +$2 +\] [0-9]+ test" "$1" || true; } | awk '{ sum += $(NF - 1) } END { print sum + 0 }'
}

run_ctest() { # FOLDER [CTEST OPTIONS]
  local folder=$1 report suite bad skips
  shift
  report=$(mktemp)
  ctest --test-dir "$folder" -j "$jobs" --output-on-failure --no-tests=error --timeout 900 --test-output-size-passed 1000000 \
    --output-junit "$report" "$@" | grep -vE ' (Start|Test +#).*Passed|^ +Start +[0-9]+:|\.\.\. +Passed ' || true
  suite=$(tr '\n' ' ' <"$report" | grep -oE '<testsuite [^>]*>' | head -n 1)
  mapfile -t -O "${#failures[@]}" failures \
    < <(sed -nE "s|.*<testcase name=\"([^\"]*)\".* status=\"fail\".*|$folder: \1|p" "$report")
  if [ -z "$suite" ]; then
    rm -f "$report"
    failures+=("$folder: ctest ended without a report")
    failed=$((failed + 1))
    return
  fi
  bad=$(attribute "$suite" failures)
  failed=$((failed + bad))
  if [ "$folder" = build ]; then
    skips=$(attribute "$suite" skipped)
    skipped=$((skipped + skips)) passed=$((passed + $(attribute "$suite" tests) - bad - skips))
  else # many tests to a process: those that failed are named as well
    mapfile -t -O "${#failures[@]}" failures \
      < <(sed -nE "s/^\[  FAILED  \] ([^ ,]+\.[^ ,]+).*/$folder: \1/p" "$report" | sort -u)
    skipped=$((skipped + $(count_of "$report" SKIPPED))) passed=$((passed + $(count_of "$report" PASSED)))
  fi
  rm -f "$report"
}

# An end-to-end script says PASS, FAIL or SKIP on a line of its own for each thing that it shows. They wait more than
# they work: one more runs at a time than there are cores.
run_scripts() { # SCRIPT...
  local logs script log code bad
  logs=$(mktemp -d)
  printf '%s\0' "$@" | xargs -0 -P $((jobs + 1)) -I '{}' sh -c \
    'code=0; timeout --kill-after=20 600 "$1" >"$2/${1##*/}.log" 2>&1 || code=$?; echo "$code" >"$2/${1##*/}.code"' \
    sh '{}' "$logs"
  for script in "$@"; do
    log=$logs/${script##*/}.log code=$(cat "$logs/${script##*/}.code")
    printf '\n%s\n' "$script" && cat "$log"
    bad=$(grep -c '^FAIL ' "$log" || true)
    mapfile -t -O "${#failures[@]}" failures < <(sed -n "s|^FAIL |${script##*/}: |p" "$log")
    if [ "$code" != 0 ] && [ "$bad" = 0 ]; then
      failures+=("${script##*/}: ended with $code")
      bad=1
    fi
    passed=$((passed + $(grep -c '^PASS ' "$log" || true)))
    skipped=$((skipped + $(grep -c '^SKIP ' "$log" || true)))
    failed=$((failed + bad))
  done
  rm -r "$logs"
}

# TSan sees the synchronisation inside Abseil only if Abseil itself is built with it. The packaged source is built once,
# as shared libraries that take the place of the packaged ones for the test programs only.
build_abseil_for_tsan() {
  local root=$PWD/build-tsan-abseil sources mirror
  [ ! -e "$root/done" ] || return 0
  rm -rf "$root" && mkdir -p "$root/lists/partial" "$root/cache"
  sources=$root/sources.list
  # The source comes from where this machine's packages come from.
  mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    grep -m 1 ' main$') || return 1
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror" >"$sources"
  (cd "$root" && apt=(apt-get -q -o "Dir::Etc::sourcelist=$sources" -o Dir::Etc::sourceparts=/dev/null
      -o "Dir::State::lists=$root/lists" -o "Dir::Cache=$root/cache" -o APT::Sandbox::User=root) &&
    "${apt[@]}" update && "${apt[@]}" source --download-only abseil && dpkg-source -x --no-check abseil_*.dsc src) \
    >"$root/log" 2>&1 || return 1
  cmake -G Ninja -S "$root/src" -B "$root/build" -DBUILD_SHARED_LIBS=ON -DCMAKE_CXX_STANDARD=14 \
    -DABSL_PROPAGATE_CXX_STD=ON -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS=-fsanitize=thread \
    >>"$root/log" 2>&1 && ninja -C "$root/build" -j "$jobs" >>"$root/log" 2>&1 || return 1
  mkdir -p "$root/lib"
  find "$root/build" -name 'libabsl_*.so*' -exec cp -a {} "$root/lib/" \;
  touch "$root/done"
}

run_thread_sanitizer() {
  step "Abseil with TSan"
  if ! build_abseil_for_tsan; then
    tail -n 3 build-tsan-abseil/log
    echo "SKIP the source of Abseil cannot be had here: no TSan run"
    skipped=1
    return
  fi
  step "Building with TSan"
  build build-tsan unit_tests -DCMAKE_BUILD_TYPE=RelWithDebInfo -DBERTH_SANITIZE=thread
  step "Unit tests under TSan"
  LD_LIBRARY_PATH=$PWD/build-tsan-abseil/lib TSAN_OPTIONS="ignore_noninstrumented_modules=1 halt_on_error=1" \
    run_ctest build-tsan -L unit
}

step "Packages"
if [ "$mode" = all ] || [ "$mode" = quick ]; then deploy/install-packages.sh test; else deploy/install-packages.sh check; fi
case "$mode" in
  address)
    step "Building with clang, ASan and UBSan"
    build build-asan "unit_tests test_simulation scheduler_server agent_daemon client_commands berth-sim" \
      -DCMAKE_CXX_COMPILER=clang++-14 -DBERTH_SANITIZE=address
    step "Unit tests and random histories under ASan and UBSan"
    run_ctest build-asan -L 'unit|sim' -E test_sim_faults
    step "Search for faults of the protocol under ASan and UBSan"
    if build-asan/bin/berth-sim faults --seeds 200; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1)) failures+=("build-asan: berth-sim faults --seeds 200")
    fi
    ;;
  thread) run_thread_sanitizer ;;
  quick)
    step "Building"
    build build unit_tests
    step "Unit tests"
    run_ctest build -L unit
    ;;
  all)
    step "Building"
    build build all
    step "Unit, simulation and integration tests"
    run_ctest build
    step "End-to-end tests"
    run_scripts tests/e2e/*_test.py
    ;;
esac
step "Done"
