# shellcheck shell=bash
# mdBook, which makes the book: built once into the cache folder, and put on the PATH if there is none.

MDBOOK_VERSION=0.5.4

mdbook_is_ready() { [[ -x $CACHE/mdbook-$MDBOOK_VERSION/bin/mdbook ]]; }

ensure_mdbook() {
    if ! mdbook_is_ready; then
        lock
        mdbook_is_ready || install_mdbook
        unlock
    fi
    link_mdbook
    # The host program gets the version that was tried, whatever else is installed.
    PATH=$CACHE/mdbook-$MDBOOK_VERSION/bin:$PATH
}

install_mdbook() {
    local toolchain
    step "Building mdBook $MDBOOK_VERSION, which makes the book (about 2 minutes)"
    need_space "$CACHE" 1000 "building mdBook"
    new_work_folder
    # Outside the checkout rustup would choose another compiler.
    toolchain=$(rustup show active-toolchain | cut -d ' ' -f 1)
    # Little optimisation: the book is small. PATH, lest cargo warn that the folder is not in it.
    run_cargo "building mdBook" env -C "$NEW" PATH="$NEW/root/bin:$PATH" CARGO_TARGET_DIR="$NEW/target" CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo "+$toolchain" install --locked --version "$MDBOOK_VERSION" --target "$RUST_HOST" --root "$NEW/root" --no-track mdbook
    rm -rf -- "${CACHE:?}/mdbook-$MDBOOK_VERSION"
    mv -T -- "$NEW/root" "$CACHE/mdbook-$MDBOOK_VERSION"
}

# So that plain `mdbook serve book` works too. A reader's own mdbook stays.
link_mdbook() {
    local folder=${CARGO_HOME:-${HOME:-}/.cargo}/bin
    if have mdbook || [[ :$PATH: != *:"$folder":* || -e $folder/mdbook ]]; then return; fi
    ln -sfn -- "$CACHE/mdbook-$MDBOOK_VERSION/bin/mdbook" "$folder/mdbook" 2>/dev/null || true
}
