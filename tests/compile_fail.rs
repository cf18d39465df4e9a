//! What must not compile, and what must beside it.
#![cfg(feature = "tokio")]

#[test]
fn only_functions_without_captures_can_be_spawned() {
    let cases = trybuild::TestCases::new();
    // A check in a constant is made when code is generated: a case that passes is built, and takes the others with it.
    cases.pass("tests/compile/spawn_pass.rs");
    cases.compile_fail("tests/compile/spawn_captures.rs");
    cases.compile_fail("tests/compile/spawn_function_pointer.rs");
    cases.compile_fail("tests/compile/spawn_wrong_arguments.rs");
}

#[test]
fn case_108_a_receiver_does_not_send() {
    trybuild::TestCases::new().compile_fail("tests/compile/pipe_wrong_direction.rs");
}

/// Case 126: no view outlives the mapping (P21).
#[test]
fn case_126_no_view_outlives_its_memory() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile/memory_pass.rs");
    cases.compile_fail("tests/compile/memory_view_outlives.rs");
    cases.compile_fail("tests/compile/memory_items_outlive.rs");
    cases.compile_fail("tests/compile/memory_not_plain.rs");
}
