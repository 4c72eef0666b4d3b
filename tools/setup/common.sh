# shellcheck shell=bash
# What every part of the set-up uses: messages, the cache folder with its lock, running a step. Sourced by ./x.

# Progress goes to standard error: standard output belongs to the command.
say() { printf '%s\n' "$*" >&2; }
step() { say "==> $*"; }

# One clear sentence, and the end. Never call it in `$(...)`, where it would end the subshell only.
EXPLAINED=no
die() {
    say "x: $*"
    EXPLAINED=yes
    exit 1
}

# A run that is cut off leaves nothing but folders `.new-*`: removed here or, after a SIGKILL, by the next run.
WORK_FOLDERS=()
BACKGROUND=
on_exit() {
    local status=$?
    # Bash lets a background process ignore the Ctrl-C that ends the others.
    [[ -z $BACKGROUND ]] || kill "$BACKGROUND" 2>/dev/null || true
    ((${#WORK_FOLDERS[@]} == 0)) || rm -rf -- "${WORK_FOLDERS[@]}"
    ((status == 0)) || [[ $EXPLAINED == yes ]] ||
        say "x: the set-up ended unexpectedly (code $status): $(failure_reason)"
}
on_signal() {
    say "x: stopped; run the same command again to go on"
    EXPLAINED=yes
    exit 130
}

have() { command -v "$1" >/dev/null 2>&1; }

# absolute PATH: relative ones are meant from where the caller stands.
absolute() { if [[ $1 == /* ]]; then printf '%s' "$1"; else printf '%s' "$CALLER_FOLDER/$1"; fi; }

# Where everything is kept that all checkouts share. Sets CACHE.
find_cache() {
    if [[ -n ${FLATMK_CACHE:-} ]]; then
        CACHE=$(absolute "$FLATMK_CACHE")
    elif [[ -n ${XDG_CACHE_HOME:-} ]]; then
        CACHE=$(absolute "$XDG_CACHE_HOME")/flatmk
    elif [[ -n ${HOME:-} ]]; then
        CACHE=$HOME/.cache/flatmk
    else
        die "there is no HOME to keep tools in: set FLATMK_CACHE to a folder that can be written to"
    fi
    export FLATMK_CACHE=$CACHE
}

# What cargo builds goes there. Sets TARGET_FOLDER.
find_target_folder() {
    TARGET_FOLDER=${CARGO_TARGET_DIR:-${CARGO_BUILD_TARGET_DIR:-}}
    if [[ -n $TARGET_FOLDER ]]; then
        TARGET_FOLDER=$(absolute "$TARGET_FOLDER")
        export CARGO_TARGET_DIR=$TARGET_FOLDER
    else
        TARGET_FOLDER=$ROOT/target
    fi
}

make_writable() { mkdir -p -- "$1" 2>/dev/null && [[ -w $1 ]]; }

need_target_folder() {
    make_writable "$TARGET_FOLDER" ||
        die "$TARGET_FOLDER cannot be written to (a read-only checkout?): set CARGO_TARGET_DIR to a folder that can"
}

free_mib() {
    local folder=$1
    while [[ ! -e $folder ]]; do folder=$(dirname -- "$folder"); done
    df -Pk -- "$folder" | awk 'NR == 2 { print int($4 / 1024) }'
}

# need_space FOLDER MIB WHAT
need_space() {
    local free
    free=$(free_mib "$1")
    ((free >= $2)) || die "the disk is too full: $3 needs $2 MiB in $1, and $free MiB are free there"
}

# run WHAT COMMAND...: its output is progress. It does not inherit the lock, which a server that it starts would keep.
run() {
    local what=$1
    shift
    "$@" >&2 9>&- || step_failed "$what"
}

run_cargo() {
    local what=$1
    shift
    "$@" 2>&1 9>&- | show_cargo || step_failed "$what"
}

# Every 20th crate, and all that is not routine.
show_cargo() {
    local LINE downloaded=0 compiled=0
    while next_line; do
        case $LINE in
        "  Downloaded "*) every_20th "$((downloaded++))" ;;
        "   Compiling "*) every_20th "$((compiled++))" ;;
        "    Updating "* | "     Locking "* | " Downloading "* | "  Installing "* | "   Installed "* | "    Finished "*) ;;
        *) say "    $LINE" ;;
        esac
    done
}

# Reads a line of input to LINE, and says now and then that work goes on while there is none. Fails at the end.
next_line() {
    local status
    while true; do
        status=0
        IFS= read -r -t 20 LINE || status=$?
        ((status > 128)) || return "$status"
        say "    still working ($SECONDS s since the start)"
    done
}

# every_20th NUMBER: shows LINE, without its indentation, if it is the first, the 21st and so on.
every_20th() { (($1 % 20)) || say "    ${LINE#"${LINE%%[! ]*}"} ($(($1 + 1)))"; }

step_failed() { die "$1 did not work: $(failure_reason)"; }

failure_reason() {
    local folder
    for folder in "$CACHE" "$TARGET_FOLDER"; do
        if (($(free_mib "$folder") < 64)); then
            printf 'the disk of %s is full; make room and run the same command again' "$folder"
            return
        fi
    done
    printf 'the reason is above; run the same command again to go on from here'
}

# One set-up at a time for this cache folder: the lock (descriptor 9) goes when this process does, however it ends.
lock() {
    make_writable "$CACHE" ||
        die "$CACHE cannot be written to, where the tools go: set FLATMK_CACHE to a folder that can"
    exec 9>>"$CACHE/lock"
    if ! flock --nonblock 9; then
        say "Another ./x is setting up this machine: waiting until it is done."
        until flock --timeout 20 9; do say "    still waiting"; done
    fi
    rm -rf -- "$CACHE"/.new-* # left by a run that was killed
}

unlock() { exec 9>&-; }

# A folder to build in beside the place where the result goes, so that a rename puts it there whole. Sets NEW.
new_work_folder() {
    NEW=$(mktemp -d -- "$CACHE/.new-XXXXXX") || die "nothing can be written to $CACHE"
    chmod 755 "$NEW"
    WORK_FOLDERS+=("$NEW")
}
