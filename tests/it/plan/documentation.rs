//! The table of reload classes in the documentation.

/// Promise 8. With `UPDATE_DOCS=1` in its environment the test writes the table.
#[test]
fn the_documented_table_of_reload_classes_is_the_generated_one() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reload-classes.md");
    let text = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
    let (begin, end) = ("<!-- generated: keys -->\n", "<!-- end of generated: keys -->");
    let (before, rest) = text.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let generated = format!("{before}{begin}{}{end}{after}", kproxy::reload::documentation());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &generated).unwrap();
    } else {
        assert!(text == generated, "run this test with UPDATE_DOCS=1");
    }
}
