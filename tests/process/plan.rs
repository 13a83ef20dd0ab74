//! `kproxy plan`: what it promises.
//!
//! 1. It changes nothing, and says what the reload of the file then does: see also `tests/it/plan/foretold.rs`.
//! 2. Its exit code says whether connections would be drained.
//! 3. One screen for a change of any size; `--details` shows all.
//! 4. Its JSON has the shape that docs/operating/plan.md describes.
//! 5. The running process reads the file: relative paths lead where a reload of it would look.
//! 6. `--offline` compares two files without a process.

mod fixture;
mod offline;
mod online;
mod shape;
