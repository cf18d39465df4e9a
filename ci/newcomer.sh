#!/usr/bin/env bash
# What a newcomer does who has the README alone: a new crate that depends on this one by path, the quickstart copied into it,
# then the pool, then a test with the fixture. All of it must work at the first try.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$root/target}/newcomer
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

block() { # the README's Rust block of that number
  awk -v wanted="$1" '/^```rust$/ { count++; inside = count == wanted; next } /^```$/ { inside = 0 } inside' README.md
}

mkdir -p "$folder/src/bin" "$folder/tests"
cat >"$folder/Cargo.toml" <<TOML
[package]
name = "newcomer"
version = "0.1.0"
edition = "2024"

[dependencies]
aioprocessing = { path = "$root" }
tokio = { version = "1", features = ["macros", "rt"] }

[dev-dependencies]
aioprocessing = { path = "$root", features = ["fixture"] }
TOML
block 1 >"$folder/src/main.rs"
block 2 >"$folder/src/bin/pool.rs"
cat >"$folder/tests/group.rs" <<'RUST'
use aioprocessing::AioValue;
use aioprocessing::fixture::Group;

aioprocessing::test_support!();

#[test]
fn four_processes_count_to_four_hundred() {
    let count = AioValue::new(0_u64).unwrap();
    let add = |_index: usize, count: AioValue<u64>| (0..100).for_each(|_| drop(count.fetch_add(1)));
    Group::spawn_with(4, add, count.clone()).unwrap().join().unwrap();
    assert_eq!(count.get(), 400);
}
RUST
# The versions that this crate is tested with.
cp Cargo.lock "$folder/Cargo.lock"
cd "$folder"
printed=$(cargo run -q --bin newcomer)
diff <(printf 'Got result 6\nGot result 7\nGot result 8\n') <(printf '%s\n' "$printed")
cargo run -q --bin pool
cargo test -q
echo "a newcomer's crate works"
