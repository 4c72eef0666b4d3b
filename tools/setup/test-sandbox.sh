# shellcheck shell=bash
# What the tests of ./x run in: a copy of the script, and a PATH with nothing but the basic commands and stand-ins for
# rustup, cargo, apt-get and the rest, which write down how they were called. Sourced by test.sh.

BASIC_COMMANDS=(awk bash cat chmod cp cut df dirname env find flock grep head ln mkdir mktemp mv rm sed sleep sort touch tr uname)
STAND_INS=(apt-cache apt-get cargo dpkg dpkg-query rustc rustup sudo)
PRESENT=(bochs c++ cc chromium faketime gdb git hunspell qemu-riscv32 qemu-system-x86_64 riscv64-unknown-elf-gcc shellcheck valgrind Xvfb xauth xvfb-run)

# Sets BOX (its folder); everything is there but nothing was set up yet, except the compiler.
new_sandbox() {
    local name
    BOX=$(mktemp -d "$BOXES/XXXXXX")
    BOX_ENVIRONMENT=(HOME="$BOX/home")
    WRAPPER=()
    mkdir -p "$BOX"/{bin,calls,home,sysroot,checkout/tools}
    cp "$REPOSITORY/x" "$BOX/checkout/"
    cp -r "$REPOSITORY/tools/setup" "$BOX/checkout/tools/"
    mkdir -p "$BOX"/checkout/kernel/{abi,image,softuser} "$BOX/checkout/userland/pipe"
    touch "$BOX"/checkout/Cargo.{toml,lock}
    for name in "${BASIC_COMMANDS[@]}"; do ln -s "$(command -v "$name")" "$BOX/bin/$name"; done
    for name in "${PRESENT[@]}"; do stand_in "$name" ':'; done
    for name in "${STAND_INS[@]}"; do "${name/-/_}_stand_in"; done
    complete_sysroot "$BOX/sysroot"
    chmod -R a+rwX "$BOX"
}

# stand_in NAME SCRIPT: the script sees BOX and its arguments; each call is one line of calls/NAME.
stand_in() {
    printf '#!/bin/bash\nBOX=%q\nprintf "%%s\\n" "$*" >>"$BOX/calls/%s"\n%s\n' "$BOX" "$1" "$2" >"$BOX/bin/$1"
    chmod 755 "$BOX/bin/$1"
}

complete_sysroot() {
    local target
    mkdir -p "$1"/{bin,lib/rustlib/x86_64-unknown-linux-gnu/bin,lib/rustlib/src/rust/library}
    touch "$1"/bin/{rustc,cargo,rustdoc,rustfmt,cargo-fmt,cargo-clippy,clippy-driver} \
        "$1"/lib/rustlib/x86_64-unknown-linux-gnu/bin/{rust-lld,llvm-objdump} "$1/lib/rustlib/src/rust/library/Cargo.lock"
    for target in x86_64-unknown-none riscv32imc-unknown-none-elf wasm32-unknown-unknown; do
        mkdir -p "$1/lib/rustlib/$target/lib"
        touch "$1/lib/rustlib/$target/lib"/lib{core,alloc,compiler_builtins}-0123.rlib
    done
}

# The version is what the file says, the sysroot too if there is such a file.
rustc_stand_in() {
    printf 1.96.0 >"$BOX/compiler-version"
    # shellcheck disable=SC2016
    stand_in rustc '
        [[ -s $BOX/compiler-version ]] || exit 1
        if [[ $* == "--print sysroot" ]]; then cat "$BOX/sysroot-link" 2>/dev/null || printf "%s\n" "$BOX/sysroot"
        else printf "rustc %s (0123 2026-01-01)\n" "$(cat "$BOX/compiler-version")"; fi'
}

# Installs if the file `rustup-can-download` is there, hangs if `rustup-hangs` is, else fails as without a network.
rustup_stand_in() {
    # shellcheck disable=SC2016
    stand_in rustup '
        case "$*" in
        "show active-toolchain") printf "1.96.0-x86_64-unknown-linux-gnu (overridden)\n" ;;
        "--version") printf "rustup 1.29.0 (0123 2026-01-01)\n" ;;
        "toolchain install "*)
            if [[ -e $BOX/rustup-hangs ]]; then exec /bin/sleep 60; fi
            if [[ ! -e $BOX/rustup-can-download ]]; then printf "error: could not download\n\nStack backtrace:\n" >&2; exit 1; fi
            printf "info: downloading component rustc\n" >&2
            printf 1.96.0 >"$BOX/compiler-version" ;;
        esac'
}

# `install` builds mdbook as slowly as the file `build-seconds` says; `run` is the host program.
cargo_stand_in() {
    # shellcheck disable=SC2016
    stand_in cargo '
        case "$*" in
        *" install "*)
            printf begin >"$BOX/build-began"
            [[ ! -e $BOX/build-fills-disk ]] || head -c 2G /dev/zero >"$CARGO_TARGET_DIR.full" || exit 101
            [[ ! -e $BOX/build-seconds ]] || /bin/sleep "$(cat "$BOX/build-seconds")"
            while [[ $1 != --root ]]; do shift; done
            mkdir -p "$2/bin" && printf "#!/bin/sh\n" >"$2/bin/mdbook" && chmod 755 "$2/bin/mdbook" ;;
        "run "*" -- book figures") exit "$(cat "$BOX/figures-exit-code" 2>/dev/null || printf 0)" ;;
        "run "*)
            arguments=$*
            printf "host program in %s from %s: %s\n" "$PWD" "$FLATMK_CWD" "${arguments#* -- }"
            exit "$(cat "$BOX/host-exit-code" 2>/dev/null || printf 0)" ;;
        esac'
}

# `install` brings the commands, or fails if the file `apt-fails` is there. With the file `apt-would-remove`, two packages are
# in the way of it, of which the distribution has one, too.
apt_get_stand_in() {
    # shellcheck disable=SC2016
    stand_in apt-get '
        [[ $* == *" install "* ]] || exit 0
        if [[ $1 == -s ]]; then
            [[ ! -e $BOX/apt-would-remove ]] || printf "Remv %s [1:10.0]\n" qemu-utils local-program
            exit 0
        fi
        if [[ -e $BOX/apt-fails ]]; then printf "E: Unable to fetch some archives\n"; exit 100; fi
        printf "Setting up qemu-system-x86 (1)\n"
        printf "#!/bin/sh\n" >"$BOX/bin/qemu-system-x86_64"; chmod 755 "$BOX/bin/qemu-system-x86_64"'
}

apt_cache_stand_in() {
    # shellcheck disable=SC2016
    stand_in apt-cache '
        if [[ $1 != madison ]]; then printf "pkg:\n  Installed: (none)\n  Candidate: 1.63.0\n"
        elif [[ $3 == qemu-utils ]]; then printf " qemu-utils | 1:7.2+dfsg-7 | http://somewhere\n qemu-utils | 1:7.1 | http://somewhere\n"; fi'
}
dpkg_stand_in() { stand_in dpkg ':'; }
dpkg_query_stand_in() { stand_in dpkg-query 'exit 1'; }
# shellcheck disable=SC2016
sudo_stand_in() { stand_in sudo 'shift; exec "$@"'; }

without() {
    local name
    for name in "$@"; do rm "$BOX/bin/$name"; done
}

# x ARGUMENT...: runs the copy, with nothing of this environment but BOX_ENVIRONMENT, inside of WRAPPER if there is one.
# Sets STATUS, OUT and ERR.
x() { x_from /dev/null "$@"; }

# x_from FILE ARGUMENT...: with that as the standard input, `-` for none at all.
x_from() {
    local input=$1 command=("${WRAPPER[@]}" env -i PATH="$BOX/bin" "${BOX_ENVIRONMENT[@]}" "$BOX/checkout/x" "${@:2}")
    STATUS=0
    if [[ $input == - ]]; then
        "${command[@]}" >"$BOX/out" 2>"$BOX/err" <&- || STATUS=$?
    else
        "${command[@]}" >"$BOX/out" 2>"$BOX/err" <"$input" || STATUS=$?
    fi
    OUT=$(cat "$BOX/out") ERR=$(cat "$BOX/err")
}

# A namespace in which folders can be mounted differently.
own_mounts() { if ((EUID == 0)); then unshare --mount "$@"; else unshare --mount --map-root-user "$@"; fi; }

# on_terminal ANSWER ARGUMENT...: runs the copy with a terminal and types the answer. Sets STATUS and OUT (all output).
on_terminal() {
    local answer=$1 command
    shift
    printf -v command '%q ' env -i PATH="$BOX/bin" HOME="$BOX/home" "$BOX/checkout/x" "$@"
    STATUS=0
    printf '%s\n' "$answer" | script --quiet --return --command "$command" /dev/null >"$BOX/out" 2>&1 || STATUS=$?
    OUT=$(cat "$BOX/out") ERR=
}

calls_of() { cat "$BOX/calls/$1" 2>/dev/null || true; }

# What a case is made of. Each failure is one line, and the case goes on.
wrong() {
    printf '    %s\n' "$*"
    WRONG=$((WRONG + 1))
}
expect_status() { ((STATUS == $1)) || wrong "exit code $STATUS instead of $1; it said: $ERR$OUT"; }
expect() { [[ $1 == *"$2"* ]] || wrong "no \"$2\" in: $1"; }
expect_not() { [[ $1 != *"$2"* ]] || wrong "\"$2\" in: $1"; }
# One sentence, from the script and not from the shell.
expect_one_sentence() {
    expect_status 1
    local last=${ERR##*$'\n'}
    [[ $last == "x: "* ]] || wrong "the last line is not a sentence: $last"
    (($(grep -c '^x: ' <<<"$ERR") == 1)) || wrong "more than one sentence: $ERR"
    ! grep -q -E 'line [0-9]+:|backtrace|unbound variable|^/.*: ' <<<"$ERR" || wrong "the shell or a stack trace speaks: $ERR"
    expect "$last" "$1"
}
expect_host_program() { expect "$OUT" "host program in $BOX/checkout"; }
expect_no_leftovers() {
    local left
    left=$(find "$BOX/home/.cache/flatmk" -maxdepth 1 -name '.new-*')
    [[ -z $left ]] || wrong "left behind: $left"
}
