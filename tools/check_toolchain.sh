#!/bin/sh
# Is there a Rust compiler new enough to build the native core? Says what to install if not.
need=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
how="Install Rust $need or newer: https://rustup.rs (or 'rustup update'), or your system's packages 'cargo' and 'rustc'."
if ! command -v cargo >/dev/null 2>&1 || ! command -v rustc >/dev/null 2>&1; then
  echo "marquardt builds its native core with Rust, but cargo was not found on PATH. $how" >&2
  exit 1
fi
have=$(rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')
oldest=$(printf '%s\n%s\n' "$need" "$have" | sort -t. -k1,1n -k2,2n | head -n 1)
if [ "$oldest" != "$need" ] && [ "${have%.*}" != "$need" ]; then
  echo "marquardt needs Rust $need or newer; this is $have. $how" >&2
  exit 1
fi
