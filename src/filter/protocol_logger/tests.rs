use super::*;
use crate::wire::schema::Draft;

#[test]
fn credentials_and_values_of_settings_are_withheld() {
    for key in [17, 36, 38, 50, 51] {
        assert!(shown(key, Direction::Request, 0, b"secret", true).starts_with("withheld"));
    }
    let mut alter = Draft::new(ApiKey::ALTER_CONFIGS, Direction::Request, 2).unwrap();
    let resource = alter.push("resources").set("resource_name", "orders");
    resource
        .push("configs")
        .set("name", "sasl.jaas.config")
        .set("value", "hunter2");
    let text = shown(
        ApiKey::ALTER_CONFIGS,
        Direction::Request,
        2,
        &alter.encode(),
        true,
    );
    assert!(
        text.contains("sasl.jaas.config") && text.contains("value=withheld") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn a_large_body_is_not_awaited() {
    assert!(is_awaited(ApiKey::METADATA, &[0; 100], false));
    assert!(!is_awaited(ApiKey::METADATA, &[0; 100], true));
    assert!(!is_awaited(ApiKey::PRODUCE, &[0; MOST_OF_A_BODY], false));
    assert!(!is_awaited(ApiKey::SASL_AUTHENTICATE, &[0; 10], false));
    assert!(shown(ApiKey::PRODUCE, Direction::Request, 9, &[0; 100], false).starts_with("not shown: larger"));
    assert!(
        shown(ApiKey::PRODUCE, Direction::Request, 9, &[0xff; 3], true).starts_with("not shown: malformed")
    );
}
