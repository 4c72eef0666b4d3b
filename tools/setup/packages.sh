# shellcheck shell=bash
# The distribution's packages: the compilers for C, of which one links host programs, the emulators, a browser, the checker of scripts.

# What it is for | how it is found (commands, or files with a slash) | Debian's packages | version tried
NEED_LINKER='a C compiler, which links programs for this machine and builds those in C|cc /usr/include/stdlib.h|gcc libc6-dev|12'
NEED_CPP='a C++ compiler, which must take the header for programs in C, too|c++|g++|12'
NEED_RISCV='a C compiler for RISC-V, for the programs in C that the kernel runs itself|riscv64-unknown-elf-gcc|gcc-riscv64-unknown-elf|12'
NEED_QEMU='the emulator QEMU|qemu-system-x86_64|qemu-system-x86|7.2'
NEED_QEMU_USER='QEMU for programs, which runs those for RISC-V beside ours|qemu-riscv32|qemu-user|7.2'
NEED_UEFI='UEFI firmware for QEMU|/usr/share/ovmf/OVMF.fd|ovmf|2022.11'
NEED_BOCHS='the emulator Bochs|bochs /usr/share/bochs/BIOS-bochs-latest /usr/share/vgabios/vgabios.bin|bochs bochs-x bochsbios vgabios|2.7'
NEED_SCREEN='a screen for Bochs to draw on, in memory|Xvfb xvfb-run xauth|xvfb xauth|21.1'
NEED_STILL_CLOCK='a clock for Bochs that stands still|faketime|faketime|0.9'
NEED_VALGRIND='a counter of instructions, for programs of this machine|valgrind|valgrind|3.19'
NEED_GDB='the debugger GDB, with Python|gdb|gdb|13'
NEED_BROWSER='a browser without a window, for the figures of the book|chromium|chromium|156'
NEED_GIT='git, which keeps the working copies of the exercises|git|git|2.39'
NEED_SHELLCHECK='the checker of shell scripts|shellcheck|shellcheck|0.9'
NEED_SPELLING='a dictionary, for the spelling of the book|hunspell /usr/share/hunspell/en_US.dic|hunspell hunspell-en-us|1.7'

# need_field NEED NUMBER
need_field() { cut -d '|' -f "$2" <<<"$1"; }

need_is_met() {
    local name
    for name in $(need_field "$1" 2); do
        if [[ $name == /* ]]; then [[ -e $name ]] || return 1; else have "$name" || return 1; fi
    done
}

# Fails early, before minutes are spent on what would not help.
need_package_manager() {
    have apt-get ||
        die "missing: $1; install it with this distribution's package manager (Debian's packages are called $2)"
    ((EUID == 0)) || have sudo ||
        die "missing: $1; installing packages takes the rights of root and there is no sudo: run apt-get install $2 as root"
}

# With the lock held.
install_need() {
    local what packages
    ! need_is_met "$1" || return 0
    what=$(need_field "$1" 1)
    read -r -a packages <<<"$(need_field "$1" 3)"
    install_packages "$what" "${packages[@]}"
    need_is_met "$1" || die "$what is still missing, although the packages ${packages[*]} are installed: see ./x doctor"
}

packages_are_installed() {
    local states
    states=$(dpkg-query -W -f '${db:Status-Status}\n' -- "$@" 2>/dev/null) && ! grep -q -v -x installed <<<"$states"
}

package_candidate() { apt-cache policy -- "$1" 2>/dev/null | sed -n 's/^  Candidate: //p'; }

package_version() { dpkg-query -W -f '${Version}' -- "$1" 2>/dev/null | sed -E 's/^[0-9]+://; s/[-+].*//'; }

# as_root NAME=VALUE... COMMAND...
as_root() { if ((EUID == 0)); then env "$@"; else sudo -- env "$@"; fi; }

# Once a run, and only if something is to be installed.
LISTS_ARE_NEW=no
update_package_lists() {
    [[ $LISTS_ARE_NEW == no ]] || return 0
    LISTS_ARE_NEW=yes
    step "Reading the lists of packages (some seconds)"
    # A list that cannot be had may not matter: if it does, the installation says so.
    as_root apt-get -qq -o DPkg::Lock::Timeout=600 update >&2 9>&- || say "    not all lists could be read; going on with those at hand"
}

# install_packages WHAT PACKAGE...: with the lock held.
install_packages() {
    local what=$1
    shift
    update_package_lists
    step "Installing $what (packages $*; up to some minutes)"
    need_space /usr 1500 "$what"
    # A run that was cut off in the middle is finished first.
    as_root DEBIAN_FRONTEND=noninteractive dpkg --configure -a 2>&1 9>&- | show_apt || true
    find_replacements "$@"
    as_root DEBIAN_FRONTEND=noninteractive apt-get -y -q --fix-broken --no-remove --allow-downgrades --no-install-recommends \
        -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 install -- "$@" "${REPLACEMENTS[@]}" </dev/null 2>&1 9>&- | show_apt ||
        step_failed "installing the packages $*"
}

# Sets REPLACEMENTS (PACKAGE=VERSION each): a package from elsewhere, too new to stay beside these, would have to be removed;
# as the distribution has it, it can stay. One that the distribution lacks is not removed: the installation is refused.
find_replacements() {
    local package version
    REPLACEMENTS=()
    while read -r package; do
        version=$(apt-cache madison -- "$package" 2>/dev/null | awk 'NR == 1 { print $3 }') || version=
        [[ -n $version ]] || continue
        say "    $package $(package_version "$package" || true) does not go with that: replaced by $version, which is this distribution's"
        REPLACEMENTS+=("$package=$version")
    done < <(apt-get -s -q --no-install-recommends install -- "$@" 2>/dev/null </dev/null 9>&- | awk '$1 == "Remv" { print $2 }')
}

# Every 20th package fetched, unpacked and set up, all warnings and errors.
show_apt() {
    local LINE fetched=0 unpacked=0 configured=0
    while next_line; do
        case $LINE in
        "Get:"*)
            LINE="fetching ${LINE#* * * * }"
            every_20th "$((fetched++))"
            ;;
        "Unpacking "*) every_20th "$((unpacked++))" ;;
        "Setting up "*) every_20th "$((configured++))" ;;
        "Need to get "* | "E: "* | "W: "* | "Err:"* | "dpkg: "*) say "    $LINE" ;;
        esac
    done
}
