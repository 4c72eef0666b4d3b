#!/usr/bin/env bash
# run.sh SECONDS: looks for bytes that the engine runs differently from the reference, beginning with those in corpus.txt, to which it adds those
# that lead to more of the engine. If it finds some, libFuzzer says in which file they are.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

# The counters that libFuzzer follows.
flags=(-Cpasses=sancov-module)
for option in level=4 inline-8bit-counters pc-table trace-compares; do flags+=("-Cllvm-args=-sanitizer-coverage-$option"); done
export RUSTFLAGS="${flags[*]} -Ccodegen-units=1"
cargo build --quiet --release --target x86_64-unknown-linux-gnu
program=target/x86_64-unknown-linux-gnu/release/bytes

# The corpus is a line of digits for each input, and libFuzzer has a file for each.
corpus=target/corpus least=target/least
rm -rf -- "$corpus" "$least"
mkdir -p -- "$corpus" "$least"
number=0
while read -r line; do
    # shellcheck disable=SC2001,SC2059 # The format is the bytes.
    printf "$(sed 's/../\\x&/g' <<<"$line")" >"$corpus/$number"
    number=$((number + 1))
done <corpus.txt

"$program" -max_total_time="$1" -max_len=96 -timeout=30 -print_final_stats=1 -print_funcs=0 -verbosity=0 -artifact_prefix=target/ "$corpus"
"$program" -merge=1 "$least" "$corpus" 2>/dev/null
for file in "$least"/*; do
    od -A n -v -t x1 "$file" | tr -d ' \n'
    echo
done | sort >corpus.txt
