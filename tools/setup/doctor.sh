# shellcheck shell=bash
# `./x doctor`: what is there, which version was tried, what to do about the rest. Changes nothing.

doctor() {
    MISSING_COUNT=0
    local found
    printf '%-34s %-22s %-22s %-10s %s\n' "what" "found" "tried" "state" "to do"
    doctor_system
    doctor_compiler
    found=$(cc -dumpfullversion 2>/dev/null) || found=
    doctor_need "$NEED_LINKER" "$found"
    found=$(c++ -dumpfullversion 2>/dev/null) || found=
    doctor_need "$NEED_CPP" "$found"
    found=$(riscv64-unknown-elf-gcc -dumpfullversion 2>/dev/null) || found=
    doctor_need "$NEED_RISCV" "$found"
    found=$(qemu-system-x86_64 --version 2>/dev/null | sed -n '1s/.*version \([0-9.]*\).*/\1/p') || found=
    doctor_need "$NEED_QEMU" "$found"
    found=$(qemu-riscv32 --version 2>/dev/null | sed -n '1s/.*version \([0-9.]*\).*/\1/p') || found=
    doctor_need "$NEED_QEMU_USER" "$found"
    doctor_need "$NEED_UEFI" "$(package_version ovmf || true)"
    doctor_need "$NEED_BOCHS" "$(package_version bochs || true)"
    doctor_need "$NEED_SCREEN" "$(package_version xvfb || true)"
    doctor_need "$NEED_STILL_CLOCK" "$(package_version faketime || true)"
    found=$(valgrind --version 2>/dev/null | sed -n 's/^valgrind-//p') || found=
    doctor_need "$NEED_VALGRIND" "$found"
    found=$(gdb --version 2>/dev/null | sed -n '1s/.* \([0-9.]*\)$/\1/p') || found=
    doctor_need "$NEED_GDB" "$found"
    doctor_need "$NEED_BROWSER" "$(package_version chromium || true)"
    found=$(git --version 2>/dev/null | sed -n 's/^git version //p') || found=
    doctor_need "$NEED_GIT" "$found"
    found=$(shellcheck --version 2>/dev/null | sed -n 's/^version: //p') || found=
    doctor_need "$NEED_SHELLCHECK" "$found"
    doctor_need "$NEED_SPELLING" "$(package_version hunspell || true)"
    doctor_mdbook
    doctor_folders
    if ((MISSING_COUNT > 0)); then
        printf '\nMissing or wrong: %s.\n' "$MISSING_COUNT"
        return 1
    fi
    printf '\nAll is there.\n'
}

# row WHAT FOUND TRIED STATE [TO DO]
row() {
    printf '%-34s %-22s %-22s %-10s %s\n' "$1" "${2:--}" "$3" "$4" "${5:-}"
    [[ $4 != missing && $4 != wrong ]] || MISSING_COUNT=$((MISSING_COUNT + 1))
}

# doctor_need NEED VERSION
doctor_need() {
    local what tried packages
    what=$(need_field "$1" 1) packages=$(need_field "$1" 3) tried=$(need_field "$1" 4)
    what=${what%%,*}
    if ! need_is_met "$1"; then
        row "$what" "" "$tried" missing "\`./x test\` installs it (packages $packages)"
    elif [[ -z $2 || $2 == "$tried" || $2 == "$tried".* ]]; then
        row "$what" "${2:-yes}" "$tried" ok
    else
        row "$what" "$2" "$tried" different "nothing, unless something fails"
    fi
}

doctor_system() {
    local name version
    find_system
    if [[ $SYSTEM == "Linux on x86_64" ]]; then
        # shellcheck source=/dev/null
        name=$(source /etc/os-release 2>/dev/null && printf '%s' "${ID:-} ${VERSION_ID:-}") || name="Linux"
        version=different
        [[ $name != "debian 12" ]] || version=ok
        row "system" "$name" "debian 12" "$version" "$([[ $version == ok ]] || printf 'nothing, unless something fails')"
    else
        row "system" "$SYSTEM" "Linux on x86_64" wrong "use a machine, or a virtual machine, with Linux on x86_64"
    fi
}

doctor_compiler() {
    local found
    found=$(rustup --version 2>/dev/null | cut -d ' ' -f 2) || found=
    if [[ -z $found ]]; then
        row "rustup" "" 1.29 missing "install it as https://rustup.rs says"
    elif [[ $found == 1.29.* ]]; then
        row "rustup" "$found" 1.29 ok
    else
        row "rustup" "$found" 1.29 different "nothing, unless something fails"
    fi
    if [[ -n $found ]] && compiler_is_ready; then
        row "compiler" "$COMPILER_VERSION" "$RUST_VERSION" ok
        row "  libraries for bare machines" "yes" "$RUST_VERSION" ok
    elif [[ -n $found && $COMPILER_VERSION == "$RUST_VERSION" ]]; then
        row "compiler" "$COMPILER_VERSION" "$RUST_VERSION" ok
        row "  libraries for bare machines" "" "$RUST_VERSION" missing "\`./x test\` installs them"
    else
        row "compiler" "${COMPILER_VERSION:-}" "$RUST_VERSION" missing "\`./x test\` sets it up, beside what is there"
    fi
}

doctor_mdbook() {
    if mdbook_is_ready; then
        row "mdBook" "$MDBOOK_VERSION" "$MDBOOK_VERSION" ok
    else
        row "mdBook" "" "$MDBOOK_VERSION" missing "\`./x test\` builds it"
    fi
}

doctor_folders() {
    local folder what free
    for what in "tools in:$CACHE" "build results in:$TARGET_FOLDER"; do
        folder=${what#*:} what=${what%%:*}
        free=$(free_mib "$folder")
        if ! can_be_made "$folder"; then
            row "$what" "read-only" "" wrong "$folder cannot be written to"
        elif ((free < 3000)); then
            row "$what" "$free MiB free" "3000 MiB free" wrong "make room on the disk of $folder"
        else
            row "$what" "$free MiB free" "3000 MiB free" ok "$folder"
        fi
    done
}

can_be_made() {
    local folder=$1
    while [[ ! -e $folder ]]; do folder=$(dirname -- "$folder"); done
    [[ -d $folder && -w $folder ]]
}
