//! Promise 5.

use std::time::{Duration, Instant};

use super::doctor;
use testkit::broker::Broker;
use testkit::cluster::api_versions;

/// Far more than the walk needs, and far less than it would need without limits.
const SOON: Duration = Duration::from_secs(20);

#[track_caller]
fn kinds(broker: &Broker, arguments: &[&str]) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let address = broker.address.to_string();
    let mut all = vec![address.as_str(), "--json"];
    all.extend(arguments);
    let began = Instant::now();
    let examined = doctor(directory.path(), &all);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(examined.code, 4);
    examined.kinds()
}

#[test]
fn a_server_that_says_nothing_ends_the_walk_in_time() {
    let broker = Broker::start(|mut connection| drop(connection.rest()));
    assert_eq!(kinds(&broker, &["--timeout", "300ms"]), ["no_answer"]);
    assert_eq!(
        kinds(&broker, &["--timeout", "300ms", "--tls", "--insecure"]),
        ["no_answer"]
    );
    // The time of the whole examination bounds each step.
    assert_eq!(
        kinds(&broker, &["--timeout", "1h", "--total-timeout", "300ms"]),
        ["no_answer"]
    );
}

#[test]
fn a_server_that_stops_in_the_middle_of_an_answer_ends_the_walk_in_time() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            if asked.api_key == 18 {
                connection.answer(&asked, &api_versions());
            } else {
                connection.send(&[0, 0, 1, 0, 0]);
            }
        }
    });
    assert_eq!(
        kinds(&broker, &["--timeout", "300ms"]),
        ["no_answer", "no_answer"]
    );
}

#[test]
fn what_is_not_kafka_is_told_and_costs_nothing() {
    for (bytes, kind) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "not_kafka"),
        (&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1], "not_kafka"),
        (&[0xff, 0xff, 0xff, 0xff], "not_kafka"),
        (
            &[0, 0, 0, 10, 0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff],
            "not_kafka",
        ),
        (&[0, 0, 0, 4, 0, 0, 0, 9], "not_kafka"),
        (&[], "connection_closed"),
    ] {
        let broker = Broker::start(move |mut connection| {
            connection.request();
            connection.send(bytes);
            connection.close();
        });
        assert_eq!(kinds(&broker, &[]), [kind], "{}", bytes.escape_ascii());
    }
}
