# shellcheck shell=bash
# The compiler: rustup's where rustup can download it, else the distribution's of the same version in a private sysroot.

RUST_VERSION=1.96.0
RUST_HOST=x86_64-unknown-linux-gnu
RUST_TARGETS=(x86_64-unknown-none riscv32imc-unknown-none-elf wasm32-unknown-unknown)
RUST_COMPONENTS=(rust-src llvm-tools rustfmt clippy)
# The number grows when the private sysroot is made differently.
SYSROOT_NAME=toolchain-$RUST_VERSION-2
LINK_NAME=flatmk-$RUST_VERSION-2
DISTRIBUTION_RUST=(rustc-web cargo-web rust-web-src rust-web-llvm rust-web-clippy rustfmt-web lld-22)
DISTRIBUTION_LLVM=/usr/lib/llvm-22/bin

PATH_HINT=
need_rustup() {
    local folder=${CARGO_HOME:-${HOME:-}/.cargo}/bin
    # A terminal that was open before rustup was installed does not have it in PATH yet.
    if ! have rustup; then
        PATH=$folder:$PATH
        PATH_HINT="plain cargo commands need $folder in PATH; a new terminal has it"
    fi
    have rustup || die "rustup is missing, which manages Rust's compilers: install it as https://rustup.rs says and run the same command again"
    folder=$(dirname -- "$(command -v rustup)")
    # rustup's own `cargo` and `rustc` choose the compiler by folder; the distribution's would not.
    if [[ $(command -v cargo) != "$folder/cargo" || $(command -v rustc) != "$folder/rustc" ]]; then
        [[ -x $folder/cargo && -x $folder/rustc ]] || die "rustup's own cargo and rustc are missing in $folder: install rustup anew"
        PATH=$folder:$PATH
        PATH_HINT="plain cargo commands need $folder before the folder of the other cargo in PATH"
    fi
}

# Sets COMPILER_VERSION and COMPILER_SYSROOT to what `rustc` in the checkout is; empty if there is none.
probe_compiler() {
    COMPILER_VERSION=$(ask_rustc --version | cut -d ' ' -f 2) || COMPILER_VERSION=
    COMPILER_SYSROOT=$(ask_rustc --print sysroot) || COMPILER_SYSROOT=
}

# A rustup before 1.28 would install the compiler behind our back if it could.
ask_rustc() { RUSTUP_DIST_SERVER=file:///nowhere rustc "$@" 2>/dev/null; }

compiler_is_ready() {
    probe_compiler
    [[ $COMPILER_VERSION == "$RUST_VERSION" ]] || return 1
    # A private one that an older recipe made is not good enough.
    [[ ${COMPILER_SYSROOT##*/} != toolchain-* || ${COMPILER_SYSROOT##*/} == "$SYSROOT_NAME" ]] || return 1
    sysroot_is_complete "$COMPILER_SYSROOT"
}

sysroot_is_complete() {
    local target
    programs_are_complete "$1" || return 1
    for target in "${RUST_TARGETS[@]}"; do target_is_complete "$1" "$target" || return 1; done
}

programs_are_complete() {
    local file
    for file in bin/{rustc,cargo,rustdoc,rustfmt,cargo-fmt,cargo-clippy,clippy-driver} \
        lib/rustlib/$RUST_HOST/bin/{rust-lld,llvm-objdump} lib/rustlib/src/rust/library/Cargo.lock; do
        [[ -e $1/$file ]] || return 1
    done
}

# target_is_complete SYSROOT TARGET
target_is_complete() {
    local library
    for library in core alloc compiler_builtins; do
        compgen -G "$1/lib/rustlib/$2/lib/lib$library-*.rlib" >/dev/null || return 1
    done
}

ensure_compiler() {
    ! compiler_is_ready || return 0
    lock
    # Another run may have been faster.
    compiler_is_ready || use_private_sysroot_if_made || add_missing_targets || install_with_rustup || make_private_sysroot
    unlock
}

use_private_sysroot_if_made() {
    sysroot_is_complete "$CACHE/$SYSROOT_NAME" || return 1
    use_private_sysroot
    compiler_is_ready
}

# A private sysroot that was made when there were fewer targets gets the others; what it has stays.
add_missing_targets() {
    local sysroot=$CACHE/$SYSROOT_NAME libraries target missing=()
    programs_are_complete "$sysroot" || return 1
    for target in "${RUST_TARGETS[@]}"; do target_is_complete "$sysroot" "$target" || missing+=("$target"); done
    step "Building the core library for ${missing[*]} (about half a minute)"
    need_space "$CACHE" 1000 "the compiler's libraries"
    new_work_folder
    libraries=$NEW/libraries
    build_core "$libraries" "${missing[@]}"
    for target in "${missing[@]}"; do
        rm -rf -- "$sysroot/lib/rustlib/$target" # incomplete
        mv -T -- "$libraries/lib/rustlib/$target" "$sysroot/lib/rustlib/$target"
        try_sysroot "$sysroot" "$target"
    done
    use_private_sysroot
    compiler_is_ready
}

# Tells rustup to use the private sysroot in this checkout.
use_private_sysroot() {
    run "linking the compiler" quiet_rustup --quiet toolchain link "$LINK_NAME" "$CACHE/$SYSROOT_NAME"
    run "choosing the compiler for this checkout" quiet_rustup --quiet override set --path "$ROOT" "$LINK_NAME"
}

# Fails if rustup cannot download; that is remembered for a day, as it may have taken a while to find out.
install_with_rustup() {
    local refused=$CACHE/rustup-cannot-download-$RUST_VERSION log
    [[ -z $(find "$refused" -mmin -1440 2>/dev/null) ]] || return 1
    step "Asking rustup for the compiler, Rust $RUST_VERSION (about 300 MiB to download, some minutes)"
    need_space "${RUSTUP_HOME:-${HOME:-/}/.rustup}" 1500 "the compiler"
    new_work_folder
    log=$NEW/rustup.log
    remove_unfinished_toolchain
    if rustup_install "$log"; then
        rm -f -- "$refused"
        # An override that an earlier run set would hide it.
        quiet_rustup --quiet override unset --path "$ROOT" 2>/dev/null || true
        ! compiler_is_ready || return 0
        printf 'error: what it installed is not complete\n' >>"$log"
    fi
    # The reason without rustup's stack trace.
    say "    rustup cannot: $(sed -n 's/^error: //p' "$log" | head -n 1)"
    : >"$refused"
    return 1
}

# rustup stumbles over what it has installed in part, if it was killed then.
remove_unfinished_toolchain() {
    local mark=$CACHE/rustup-is-installing-$RUST_VERSION
    if [[ -e $mark ]]; then
        say "    removing what an earlier run that was cut off left"
        quiet_rustup --quiet toolchain uninstall "$RUST_VERSION" 2>/dev/null || true
        rm -f -- "$mark"
    fi
}

# A server that cannot be reached is given 30 seconds; a slow download all the time it needs.
rustup_install() {
    local log=$1 mark=$CACHE/rustup-is-installing-$RUST_VERSION
    local arguments=(--profile minimal --no-self-update) name lines seconds=0 shown=0 status=0
    for name in "${RUST_COMPONENTS[@]}"; do arguments+=(--component "$name"); done
    for name in "${RUST_TARGETS[@]}"; do arguments+=(--target "$name"); done
    : >"$log"
    # What was there before is not taken away.
    [[ $'\n'$(rustup toolchain list) == *$'\n'"$RUST_VERSION"-* ]] || : >"$mark"
    # It keeps the lock: should this script be killed, the next waits for it.
    RUST_BACKTRACE=0 rustup toolchain install "$RUST_VERSION" "${arguments[@]}" >"$log" 2>&1 &
    BACKGROUND=$!
    while kill -0 "$BACKGROUND" 2>/dev/null; do
        if ((seconds++ >= 30)) && ! grep -q -E 'latest update on|downloading' "$log"; then
            kill "$BACKGROUND" 2>/dev/null || true
            printf 'error: no answer from the server in 30 seconds\n' >>"$log"
        fi
        sleep 1
        mapfile -t -s "$shown" lines <"$log"
        for name in "${lines[@]}"; do [[ $name != info:* ]] || say "    ${name#info: }"; done
        shown=$((shown + ${#lines[@]}))
    done
    wait "$BACKGROUND" || status=$?
    BACKGROUND=
    # Whether it worked or gave up, it has cleaned up itself.
    rm -f -- "$mark"
    return "$status"
}

# Without its stack traces, whatever the environment asks for.
quiet_rustup() { RUST_BACKTRACE=0 rustup "$@"; }

make_private_sysroot() {
    step "Making Rust $RUST_VERSION from the distribution's packages instead (about 3 minutes)"
    need_distribution_rust
    need_space "$CACHE" 1000 "the compiler's libraries"
    new_work_folder
    local sysroot=$NEW/sysroot target
    link_distribution_rust "$sysroot"
    step "Building the core library for ${RUST_TARGETS[*]} (about 1 minute)"
    build_core "$sysroot" "${RUST_TARGETS[@]}"
    for target in "${RUST_TARGETS[@]}"; do try_sysroot "$sysroot" "$target"; done
    rm -rf -- "${CACHE:?}/$SYSROOT_NAME" # incomplete, or it would have been used
    mv -T -- "$sysroot" "$CACHE/$SYSROOT_NAME"
    use_private_sysroot
    compiler_is_ready || die "the compiler is in $CACHE/$SYSROOT_NAME, but rustc in $ROOT is another one: see ./x doctor"
}

need_distribution_rust() {
    local candidate
    if [[ $(/usr/bin/rustc --version 2>/dev/null) == "rustc $RUST_VERSION "* ]] && packages_are_installed "${DISTRIBUTION_RUST[@]}"; then
        return
    fi
    have apt-get || no_compiler "this distribution has no apt-get"
    ((EUID == 0)) || have sudo || no_compiler "installing it as a package takes the rights of root (apt-get install ${DISTRIBUTION_RUST[*]})"
    update_package_lists
    candidate=$(package_candidate "${DISTRIBUTION_RUST[0]}")
    [[ $candidate == "$RUST_VERSION"* ]] || no_compiler "the version of this distribution's package ${DISTRIBUTION_RUST[0]} is ${candidate:-none}"
    install_packages "the compiler Rust $RUST_VERSION with its sources and tools" "${DISTRIBUTION_RUST[@]}"
}

# rustup is asked again next time: it is the only way then.
no_compiler() {
    rm -f -- "$CACHE/rustup-cannot-download-$RUST_VERSION"
    die "rustup cannot download Rust $RUST_VERSION, and $1: run the same command again on a network where rustup can download"
}

# A sysroot of links to the distribution's files, with room for the libraries of other targets.
link_distribution_rust() {
    local sysroot=$1 host=$1/lib/rustlib/$RUST_HOST name final
    mkdir -p -- "$sysroot/bin" "$host/bin"
    ln -s -- "/usr/lib/rustlib/$RUST_HOST/lib" "$host/lib"
    ln -s -- /usr/lib/rustlib/src /usr/lib/rustlib/etc "$sysroot/lib/rustlib/"
    # `llvm-tools` looks for llvm-objdump there, rustc for rust-lld.
    ln -s -- "$DISTRIBUTION_LLVM"/llvm-* "$host/bin/"
    ln -sf -- "/usr/lib/rustlib/$RUST_HOST/bin"/* /usr/bin/rust-lld "$host/bin/"
    ln -s -- /usr/bin/cargo /usr/bin/cargo-fmt /usr/bin/rustfmt "$sysroot/bin/"
    # These look for libraries beside themselves unless told otherwise. clippy takes the place from the environment.
    printf -v final '%q' "$CACHE/$SYSROOT_NAME"
    for name in rustc rustdoc; do
        printf '#!/bin/sh\nexec /usr/bin/%s --sysroot %s "$@"\n' "$name" "$final" >"$sysroot/bin/$name"
    done
    for name in cargo-clippy clippy-driver; do
        printf '#!/bin/sh\nSYSROOT=%s exec /usr/bin/%s "$@"\n' "$final" "$name" >"$sysroot/bin/$name"
    done
    chmod 755 "$sysroot"/bin/{rustc,rustdoc,cargo-clippy,clippy-driver}
}

# build_core SYSROOT TARGET...
build_core() {
    local sysroot=$1 package=$NEW/package target targets=() file
    shift
    mkdir -p -- "$package"
    printf '[package]\nname = "empty"\nedition = "2024"\n[lib]\npath = "lib.rs"\n[workspace]\n' >"$package/Cargo.toml"
    printf '#![no_std]\n' >"$package/lib.rs"
    for target in "$@"; do targets+=(--target "$target"); done
    # Nothing that the environment asks of other builds may get into these libraries. Link-time optimisation needs the bitcode.
    run_cargo "building the core library" env -C "$package" \
        -u CARGO_ENCODED_RUSTFLAGS -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER -u CARGO_BUILD_TARGET \
        RUSTFLAGS=-Cembed-bitcode=yes RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$package/target" \
        /usr/bin/cargo build --release "${targets[@]}" \
        -Zbuild-std=core,alloc,compiler_builtins -Zbuild-std-features=compiler-builtins-mem
    for target in "$@"; do
        mkdir -p -- "$sysroot/lib/rustlib/$target/lib"
        for file in core alloc compiler_builtins; do
            cp -- "$package/target/$target/release/deps/lib$file"-*.rlib "$sysroot/lib/rustlib/$target/lib/"
        done
    done
}

# Compiles and links the least program there is, with link-time optimisation, which looks into every library.
try_sysroot() {
    local source=$NEW/try.rs
    printf '%s\n' '#![no_std]' '#![no_main]' \
        '#[panic_handler] fn panic(_: &core::panic::PanicInfo<'"'"'_>) -> ! { loop {} }' \
        '#[unsafe(no_mangle)] extern "C" fn _start() -> ! { loop {} }' >"$source"
    run "trying the new compiler for $2" /usr/bin/rustc --sysroot "$1" --edition 2024 --target "$2" -C panic=abort -C lto=fat -o "$NEW/try" "$source"
}
