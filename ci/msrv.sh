#!/usr/bin/env bash
# The declared minimum Rust version is not below that of any dependency; that this crate's own code keeps to it is clippy's part.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v python3 >/dev/null; then
  echo "there is no python3 here, which reads the manifests; skipped"
  exit 0
fi
declared=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
# The manifests of those that a build for this system has in it.
cargo metadata --format-version 1 --all-features --filter-platform "$(rustc -vV | sed -n 's/^host: //p')" |
  python3 -c '
import json, sys
declared = sys.argv[1]
version = lambda text: tuple(int(part) for part in text.split("."))
data = json.load(sys.stdin)
packages = {package["id"]: package for package in data["packages"]}
nodes = {node["id"]: node for node in data["resolve"]["nodes"]}
seen, todo = set(), [data["resolve"]["root"]]
while todo:
    at = todo.pop()
    if at in seen:
        continue
    seen.add(at)
    for dependency in nodes[at]["deps"]:
        # Of our own, those of tests may need a later one; models need a cfg of their own.
        kinds = [kind for kind in dependency["dep_kinds"] if kind["kind"] != "dev" and "loom" not in (kind["target"] or "")]
        if kinds:
            todo.append(dependency["pkg"])
late = [packages[at] for at in seen if version(packages[at]["rust_version"] or "1.0") > version(declared)]
for package in late:
    print("{name} {version} needs Rust {rust_version}".format(**package))
if late:
    sys.exit("rust-version = \"" + declared + "\" is too low")
print("Rust " + declared + " is enough for", len(seen) - 1, "dependencies, as they say")
' "$declared"
