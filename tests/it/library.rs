//! kproxy as a library.
//!
//! 1. The example that the documentation of the crate shows runs.

include!("../../examples/library.rs");

#[test]
fn the_example_of_the_documentation_runs() {
    main().unwrap();
}
