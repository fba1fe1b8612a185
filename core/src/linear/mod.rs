//! See the rooms in CONTRIBUTING.md.
