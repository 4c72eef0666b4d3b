#!/usr/bin/env bash
# Tests of ./x itself: bad input, missing tools, races, interruptions. `tools/setup/test.sh [NAME]...` runs all or those named.
set -euo pipefail

REPOSITORY=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
# shellcheck source=tools/setup/test-sandbox.sh
source "$REPOSITORY/tools/setup/test-sandbox.sh"
BOXES=$(mktemp -d)
chmod 755 "$BOXES"
trap 'rm -rf "$BOXES"' EXIT

case_scripts_pass_shellcheck() {
    local report
    report=$(cd "$REPOSITORY" && shellcheck -x x .ci/run tools/setup/test.sh 2>&1) || wrong "$report"
}

case_help_needs_nothing() {
    without rustup cargo rustc apt-get qemu-system-x86_64
    local word
    for word in help --help ''; do
        # shellcheck disable=SC2086
        x $word
        expect_status 0
        expect "$OUT" './x run'
    done
}

case_unknown_command_sets_nothing_up() {
    printf '' >"$BOX/compiler-version"
    x frobnicate
    expect_one_sentence "there is no command \`frobnicate\`"
    [[ -z $(calls_of rustup)$(calls_of apt-get)$(calls_of cargo) ]] || wrong "something was started"
}

case_arguments_folder_and_exit_code_are_passed_on() {
    printf 7 >"$BOX/host-exit-code"
    cd "$BOX/home"
    x run --chapter 3 'two words'
    expect_status 7
    expect "$OUT" "host program in $BOX/checkout from $BOX/home: run --chapter 3 two words"
}

case_yes_is_not_passed_on() {
    x run --yes --chapter 3
    expect "$OUT" ': run --chapter 3'
}

# They are those of a program that is run.
case_arguments_behind_two_dashes_are_passed_on() {
    without qemu-system-x86_64 riscv64-unknown-elf-gcc
    x softuser --yes program --count -- --yes --help
    expect_status 0
    expect "$OUT" ': softuser program --count -- --yes --help'
}

case_other_system_is_refused() {
    rm "$BOX/bin/uname"
    # shellcheck disable=SC2016
    stand_in uname '[[ $1 == -s ]] && echo Darwin || echo x86_64'
    x run
    expect_one_sentence 'this is Darwin on x86_64'
    x doctor
    expect_status 1
    expect "$OUT" 'Darwin on x86_64'
}

case_other_processor_is_refused() {
    rm "$BOX/bin/uname"
    # shellcheck disable=SC2016
    stand_in uname '[[ $1 == -s ]] && echo Linux || echo aarch64'
    x run
    expect_one_sentence 'this is Linux on aarch64'
}

case_missing_rustup_is_named() {
    without rustup
    x run
    expect_one_sentence 'rustup is missing'
    without cargo rustc
    x test
    expect_one_sentence 'rustup is missing'
}

case_missing_home_is_named() {
    BOX_ENVIRONMENT=()
    x run
    expect_one_sentence 'set FLATMK_CACHE'
    BOX_ENVIRONMENT=(FLATMK_CACHE="$BOX/cache")
    x run
    expect_host_program
}

case_read_only_checkout_is_named() {
    # shellcheck disable=SC2016
    WRAPPER=(own_mounts bash -c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"' - "$BOX/checkout")
    x run
    expect_one_sentence 'set CARGO_TARGET_DIR'
    BOX_ENVIRONMENT+=(CARGO_TARGET_DIR="$BOX/target")
    x run
    expect_status 0
    expect_host_program
}

# with_small_disk SIZE: a disk of that size for the tools.
with_small_disk() {
    mkdir -p "$BOX/home/.cache"
    # shellcheck disable=SC2016
    WRAPPER=(own_mounts bash -c 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"' - "$1" "$BOX/home/.cache")
}

case_too_full_disk_is_named_beforehand() {
    with_small_disk 8M
    x run
    expect_one_sentence 'the disk is too full: building mdBook needs 1000 MiB'
    [[ -z $(calls_of cargo) ]] || wrong "the build was begun"
}

case_disk_that_fills_up_is_named() {
    touch "$BOX/build-fills-disk"
    with_small_disk 1100M
    x run
    expect "$ERR" 'No space left on device'
    ERR=$(grep -v '^ .*No space left' <<<"$ERR")
    expect_one_sentence 'is full; make room'
}

case_cache_that_cannot_be_written_is_named() {
    printf '' >"$BOX/home/file"
    BOX_ENVIRONMENT+=(FLATMK_CACHE="$BOX/home/file/cache")
    x run
    expect_one_sentence 'set FLATMK_CACHE'
}

case_missing_emulator_without_package_manager() {
    without qemu-system-x86_64 apt-get
    x run
    expect_one_sentence 'missing: the emulator QEMU'
}

case_missing_emulator_without_rights() {
    without qemu-system-x86_64 sudo
    ((EUID != 0)) || WRAPPER=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    x run
    expect_one_sentence 'apt-get install qemu-system-x86 as root'
}

case_missing_emulator_is_installed() {
    local command
    for command in run bench trace check debug test; do
        new_sandbox
        without qemu-system-x86_64
        x "$command"
        expect_status 0
        expect "${ERR%%==>*}" 'the emulator QEMU (packages qemu-system-x86)'
        expect "$(calls_of apt-get)" 'install -- qemu-system-x86'
        expect_host_program
    done
}

case_package_that_is_too_new_is_replaced_and_none_removed() {
    new_sandbox
    without qemu-system-x86_64
    touch "$BOX/apt-would-remove"
    x run
    expect_status 0
    expect "$ERR" 'qemu-utils'
    expect "$(calls_of apt-get)" '--no-remove --allow-downgrades'
    expect "$(calls_of apt-get)" 'install -- qemu-system-x86 qemu-utils=1:7.2'
    expect_not "$(calls_of apt-get)" 'local-program='
}

case_failed_installation_is_named() {
    without qemu-system-x86_64
    touch "$BOX/apt-fails"
    x run
    expect "$ERR" 'E: Unable to fetch'
    expect_one_sentence 'installing the packages qemu-system-x86 did not work'
}

case_emulator_of_another_command_is_not_asked_for() {
    without bochs xvfb-run shellcheck apt-get
    x run
    expect_status 0
    x run --emulator bochs
    expect_one_sentence 'the emulator Bochs'
    x run --emulator=bochs
    expect_one_sentence 'the emulator Bochs'
    x bench --emulator bochs --json rows.json
    expect_one_sentence 'the emulator Bochs'
    x test --emulator bochs
    expect_one_sentence 'the emulator Bochs'
    x test
    expect_one_sentence 'the emulator Bochs'
    BOX_ENVIRONMENT+=(FLATMK_EMULATOR=bochs)
    x run
    expect_one_sentence 'the emulator Bochs'
}

case_debugger_is_asked_for_where_it_is_used() {
    without gdb apt-get
    x run
    expect_status 0
    x debug --chapter 3 -- -batch
    expect_one_sentence 'missing: the debugger GDB, with Python; install it'
    expect "$ERR" "Debian's packages are called gdb"
    x test
    expect_one_sentence 'missing: the debugger GDB'
    x debug --help
    expect_status 0
}

case_question_is_asked_on_a_terminal_only() {
    without qemu-system-x86_64
    on_terminal n run
    expect_status 1
    expect "$OUT" 'Go on? [Y/n]'
    expect "$OUT" 'nothing was installed'
    [[ -z $(calls_of apt-get) ]] || wrong "something was installed"
    on_terminal '' run
    expect_status 0
    expect "$OUT" 'host program in'
    without qemu-system-x86_64
    on_terminal n run --yes
    expect_not "$OUT" 'Go on?'
    expect "$OUT" 'host program in'
}

case_rustup_installs_where_it_can() {
    printf '' >"$BOX/compiler-version"
    touch "$BOX/rustup-can-download"
    x run
    expect_host_program
    expect "$(calls_of rustup)" 'toolchain install 1.96.0'
    expect "$ERR" 'downloading component rustc'
    expect_not "$(calls_of rustup)" 'override set'
}

# Sleeping is skipped, so that the half minute is short.
case_rustup_that_hangs_is_given_up() {
    printf '' >"$BOX/compiler-version"
    touch "$BOX/rustup-hangs"
    rm "$BOX/bin/sleep"
    stand_in sleep 'exec /bin/sleep 0.02'
    without apt-get
    x run
    expect "$ERR" 'no answer from the server'
    expect_one_sentence 'cannot download Rust 1.96.0'
    expect_no_leftovers
}

case_compiler_from_nowhere_is_named() {
    printf '' >"$BOX/compiler-version"
    without apt-get
    x run
    expect "$ERR" 'rustup cannot: could not download'
    expect_one_sentence 'this distribution has no apt-get'
    # The network may be back: the next run must ask rustup again.
    touch "$BOX/rustup-can-download"
    x run
    expect_host_program
}

case_other_version_in_the_distribution_is_named() {
    printf 1.63.0 >"$BOX/compiler-version"
    x run
    expect_one_sentence 'rustc-web is 1.63.0'
}

case_refusal_of_rustup_is_remembered() {
    printf '' >"$BOX/compiler-version"
    touch "$BOX/apt-fails"
    stand_in apt-cache 'printf "  Candidate: 1.96.0+dfsg1\n"'
    x run
    expect_one_sentence 'installing the packages rustc-web'
    x run
    expect_one_sentence 'installing the packages rustc-web'
    (($(grep -c 'toolchain install' "$BOX/calls/rustup") == 1)) || wrong "rustup was asked again"
}

case_private_sysroot_of_another_checkout_is_used() {
    printf 1.95.0 >"$BOX/compiler-version"
    local made
    # shellcheck source=tools/setup/compiler.sh
    made=$BOX/home/.cache/flatmk/$(source "$REPOSITORY/tools/setup/compiler.sh" && printf '%s' "$SYSROOT_NAME")
    complete_sysroot "$made"
    # The override makes it the compiler.
    # shellcheck disable=SC2016
    stand_in rustup 'if [[ $* == *"override set"* ]]; then printf 1.96.0 >"$BOX/compiler-version"; printf "%s\n" "'"$made"'" >"$BOX/sysroot-link"; fi
        [[ $* != "show active-toolchain" ]] || echo flatmk'
    x run
    expect_host_program
    expect "$(calls_of rustup)" "toolchain link flatmk-1.96.0"
    expect_not "$(calls_of rustup)" 'toolchain install'
    expect_not "$(calls_of apt-get)" 'install'
}

case_half_a_compiler_is_not_enough() {
    rm "$BOX"/sysroot/lib/rustlib/riscv32imc-unknown-none-elf/lib/libcore-*
    x doctor
    expect_status 1
    expect "$OUT" 'libraries for bare machines'
    x run
    expect_one_sentence '1.63.0'
}

# By the function itself: the compiler that it calls is that of /usr/bin, which no sandbox replaces.
case_target_that_is_new_is_added_to_the_private_sysroot() {
    (add_target_in_sandbox) || WRONG=1
}

add_target_in_sandbox() {
    # shellcheck source=tools/setup/common.sh
    source "$REPOSITORY/tools/setup/common.sh"
    # shellcheck source=tools/setup/compiler.sh
    source "$REPOSITORY/tools/setup/compiler.sh"
    CACHE=$BOX/home/.cache/flatmk ROOT=$BOX/checkout
    local made=$CACHE/$SYSROOT_NAME kept report
    kept=$made/lib/rustlib/x86_64-unknown-none/lib/libcore-0123.rlib
    complete_sysroot "$made"
    printf kept >"$kept"
    rm "$made"/lib/rustlib/wasm32-unknown-unknown/lib/libcore-*
    # shellcheck disable=SC2317
    build_core() {
        [[ ${*:2} == wasm32-unknown-unknown ]] || say "too much: ${*:2}"
        complete_sysroot "$1"
    }
    # shellcheck disable=SC2317
    try_sysroot() { target_is_complete "$1" "$2" || say "too early: $2"; }
    # shellcheck disable=SC2317
    use_private_sysroot() { :; }
    # shellcheck disable=SC2317
    compiler_is_ready() { sysroot_is_complete "$made"; }
    report=$(add_missing_targets 2>&1) || wrong "it is not complete: $report"
    expect "$report" 'Building the core library for wasm32-unknown-unknown (about half a minute)'
    expect_not "$report" 'too much'
    expect_not "$report" 'too early'
    [[ $(cat "$kept") == kept ]] || wrong "a library that was there was made anew"
    rm "$made/bin/rustc"
    ! add_missing_targets || wrong "half a compiler was mended with a target"
    ((WRONG == 0))
}

case_figures_of_the_book_are_built_once() {
    mkdir -p "$BOX/checkout/book/src"
    x run
    expect_status 0
    expect "$ERR" 'Building the figures of the book'
    expect "$(calls_of cargo)" '-- book figures'
    mkdir "$BOX/checkout/book/src/figures"
    touch "$BOX/checkout/book/src/figures/program.js"
    : >"$BOX/calls/cargo"
    x run
    expect_not "$(calls_of cargo)" 'book figures'
    expect_host_program
}

case_figures_that_cannot_be_built_do_not_matter() {
    mkdir -p "$BOX/checkout/book/src"
    printf 1 >"$BOX/figures-exit-code"
    x run
    expect_status 0
    expect "$ERR" 'going on, as only the book needs them'
    expect_host_program
    # Another command may need nothing of the book.
    : >"$BOX/calls/cargo"
    x softuser file.elf
    expect_not "$(calls_of cargo)" 'book figures'
}

case_doctor_changes_nothing() {
    printf '' >"$BOX/compiler-version"
    without rustup qemu-system-x86_64
    x doctor
    expect_status 1
    expect "$(grep '^rustup ' <<<"$OUT")" missing
    expect "$(grep '^the emulator QEMU' <<<"$OUT")" missing
    expect "$(grep '^the emulator Bochs' <<<"$OUT")" ok
    [[ -z $(calls_of apt-get)$(calls_of cargo) && ! -e $BOX/home/.cache ]] || wrong "something was changed"
}

case_doctor_is_content_after_a_run() {
    x run
    x doctor
    expect_status 0
    expect_not "$OUT" missing
}

case_second_run_builds_nothing() {
    x run
    mkdir -p "$BOX/checkout/target/x86_64-unknown-linux-gnu/debug"
    printf '' >"$BOX/checkout/target/x86_64-unknown-linux-gnu/debug/flatmk"
    chmod 755 "$BOX/checkout/target/x86_64-unknown-linux-gnu/debug/flatmk"
    : >"$BOX/calls/cargo"
    x run
    expect_host_program
    [[ -z $ERR ]] || wrong "it had something to say: $ERR"
    (($(wc -l <"$BOX/calls/cargo") == 1)) || wrong "cargo was called more than once: $(calls_of cargo)"
    sleep 0.01
    touch "$BOX/checkout/Cargo.lock"
    x run
    expect "$ERR" 'Building the host program'
}

case_closed_standard_input_does_not_matter() {
    without qemu-system-x86_64
    x_from - run
    expect_status 0
    expect_host_program
    expect_not "$ERR" 'Bad file'
}

case_racing_runs_build_once() {
    cp -r "$BOX/checkout" "$BOX/checkout2"
    printf 1 >"$BOX/build-seconds"
    local in_box=(env -i PATH="$BOX/bin" HOME="$BOX/home") first status1=0 status2=0
    "${in_box[@]}" "$BOX/checkout/x" run >"$BOX/out1" 2>"$BOX/err1" &
    first=$!
    "${in_box[@]}" "$BOX/checkout2/x" run >"$BOX/out2" 2>"$BOX/err2" || status2=$?
    wait "$first" || status1=$?
    ((status1 == 0 && status2 == 0)) || wrong "exit codes $status1 and $status2"
    (($(grep -c ' install ' "$BOX/calls/cargo") == 1)) || wrong "built more than once"
    expect "$(cat "$BOX/err1" "$BOX/err2")" 'waiting until it is done'
    expect "$(cat "$BOX/out1")" "host program in $BOX/checkout "
    expect "$(cat "$BOX/out2")" "host program in $BOX/checkout2 "
    expect_no_leftovers
}

# cut_off SIGNAL: ends a run, all its processes, in the middle of a build.
cut_off() {
    local tries=0
    printf 20 >"$BOX/build-seconds"
    setsid env -i PATH="$BOX/bin" HOME="$BOX/home" "$BOX/checkout/x" run >/dev/null 2>"$BOX/err" &
    local process=$!
    until [[ -s $BOX/build-began ]] || ((tries++ > 100)); do sleep 0.05; done
    kill -s "$1" -- "-$process"
    STATUS=0
    wait "$process" 2>/dev/null || STATUS=$?
    rm "$BOX/build-seconds"
}

case_killed_run_is_taken_up() {
    cut_off KILL
    expect_status 137
    [[ ! -e $BOX/home/.cache/flatmk/mdbook-0.5.4 ]] || wrong "half a result is in place"
    x run
    expect_host_program
    expect_no_leftovers
}

case_stopped_run_cleans_up() {
    cut_off TERM
    expect_status 130
    expect "$(cat "$BOX/err")" 'x: stopped; run the same command again'
    expect_no_leftovers
    x run
    expect_host_program
}

# Each case has a sandbox and a subshell of its own.
run_case() (
    WRONG=0
    new_sandbox
    "case_$1"
    ((WRONG == 0))
)

main() {
    local name cases=("$@") report failed=0
    ((${#cases[@]} > 0)) || mapfile -t cases < <(compgen -A function case_)
    for name in "${cases[@]#case_}"; do
        if report=$(run_case "$name"); then
            printf 'ok %s\n' "$name"
        else
            printf 'FAILED %s\n%s\n' "$name" "$report"
            failed=$((failed + 1))
        fi
    done
    ((failed == 0))
}

main "$@"
