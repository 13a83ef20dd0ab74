//! Promises 4 and 5: tails are found however the bytes arrive, and can be made to fit.

use kafka_protocol::messages::*;
use kproxy::wire::api::ApiKey;
use kproxy::wire::rewrite::{self, Advertised, Fit, NodeRef, Nodes, RewriteCounts, TailFinder};
use proptest::collection::vec;
use proptest::prelude::*;

use super::entropy::Entropy;
use super::support::{CASES, TestNodes, body, decode, part};

fn tail_cases() -> impl Iterator<Item = (i16, i16)> {
    CASES
        .iter()
        .flat_map(|(api_key, versions)| versions.clone().map(|version| (*api_key, version)))
        .filter(|(api_key, version)| rewrite::placement(*api_key, *version) == rewrite::Placement::Tail)
}

/// Feeds a body in chunks of the given lengths, keeping what the finder leaves, and says where the tail begins.
fn find_in_chunks(api_key: i16, version: i16, body: &[u8], mut chunk: impl FnMut() -> usize) -> usize {
    let mut finder = TailFinder::new(api_key, version, body.len()).unwrap();
    let (mut consumed, mut received) = (0, 0);
    loop {
        let advance = finder.advance(&body[consumed..received]).unwrap();
        consumed += advance.consumed;
        if advance.done {
            return consumed;
        }
        assert!(
            received - consumed <= 4,
            "{} bytes left over",
            received - consumed
        );
        assert!(received < body.len(), "not found");
        received = body.len().min(received + chunk().max(1));
    }
}

struct NoNodes;

impl Nodes for NoNodes {
    fn advertised(&self, _: i32) -> Option<Advertised<'_>> {
        None
    }
}

/// Node ids and hosts of a tail, read back by the oracle from a whole message.
fn endpoints(api_key: i16, version: i16, body: &[u8]) -> Vec<(i32, String, i32, bool)> {
    macro_rules! read {
        ($message:ty) => {
            decode::<$message>(body, version)
                .node_endpoints
                .into_iter()
                .map(|node| {
                    (
                        node.node_id.0,
                        node.host.to_string(),
                        node.port,
                        node.rack.is_some(),
                    )
                })
                .collect()
        };
    }
    match api_key {
        ApiKey::PRODUCE => read!(ProduceResponse),
        ApiKey::FETCH => read!(FetchResponse),
        ApiKey::SHARE_FETCH => read!(ShareFetchResponse),
        ApiKey::SHARE_ACKNOWLEDGE => read!(ShareAcknowledgeResponse),
        other => panic!("{other} has no tail"),
    }
}

/// Fits the tail of `body` to `room` bytes more than it has and checks everything about the outcome.
fn check_fit(api_key: i16, version: i16, body: &[u8], room: usize, nodes: &dyn Nodes) -> Fit {
    let tail = part(api_key, version, body);
    let exact = tail.len() + room;
    let mut fitted = body[..tail.start].to_vec();
    let fit = rewrite::fit_tail(api_key, version, &body[tail.clone()], nodes, exact, &mut fitted).unwrap();
    assert_eq!(fitted.len() - tail.start, exact);
    let originals = endpoints(api_key, version, body);
    let ours = endpoints(api_key, version, &fitted);
    assert_eq!(fit.counts.rewritten as usize, ours.len());
    assert_eq!(
        (fit.counts.rewritten + fit.counts.withheld + fit.dropped) as usize,
        originals.len()
    );
    for (id, host, port, rack) in ours {
        let address = nodes.advertised(id).unwrap();
        assert_eq!((host.as_str(), port), (address.host, i32::from(address.port)));
        assert!(!(rack && fit.racks_dropped));
    }
    fit
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn a_tail_is_found_however_the_bytes_arrive(
        entropy in vec(any::<u8>(), 0..800),
        chunks in vec(1usize..60, 1..20),
    ) {
        for (api_key, version) in tail_cases() {
            let body = body(api_key, version, &mut Entropy::new(&entropy));
            let whole = part(api_key, version, &body).start;
            let mut lengths = chunks.iter().copied().cycle();
            prop_assert_eq!(find_in_chunks(api_key, version, &body, || lengths.next().unwrap()), whole);
            prop_assert_eq!(find_in_chunks(api_key, version, &body, || 1), whole);
        }
    }

    #[test]
    fn a_tail_fits_every_length_from_its_own_upwards(
        entropy in vec(any::<u8>(), 0..400),
        room in prop_oneof![0usize..20, 100usize..400, 16_000usize..17_000],
    ) {
        for (api_key, version) in tail_cases() {
            let body = body(api_key, version, &mut Entropy::new(&entropy));
            check_fit(api_key, version, &body, room, &TestNodes);
            let fit = check_fit(api_key, version, &body, room, &NoNodes);
            prop_assert_eq!((fit.counts.rewritten, fit.dropped), (0, 0));
        }
    }

    #[test]
    fn slack_for_the_nodes_that_are_named_loses_nothing(entropy in vec(any::<u8>(), 0..400)) {
        for (api_key, version) in tail_cases() {
            let body = body(api_key, version, &mut Entropy::new(&entropy));
            let tail = part(api_key, version, &body);
            let mut hosts = Vec::new();
            rewrite::visit_nodes(api_key, version, &body[tail], &mut |node: NodeRef<'_>| {
                let ours = TestNodes.advertised(node.id).map_or(0, |address| address.host.len());
                hosts.push((node.host.len(), ours));
            }).unwrap();
            let fit = check_fit(api_key, version, &body, rewrite::growth_reserve(hosts), &TestNodes);
            prop_assert_eq!((fit.dropped, fit.racks_dropped), (0, false));
        }
    }
}

/// One endpoint, `b:1` without a rack, whose rewritten address is twenty bytes longer.
const SHORT: &[u8] = &[1, 0, 13, 2, 0, 0, 0, 1, 2, b'b', 0, 0, 0, 1, 0, 0];

#[test]
fn without_room_an_endpoint_goes_rather_than_its_address_stays() {
    let mut out = Vec::new();
    let fit = rewrite::fit_tail(ApiKey::FETCH, 16, SHORT, &TestNodes, SHORT.len(), &mut out).unwrap();
    assert_eq!(
        fit,
        Fit {
            counts: RewriteCounts::default(),
            dropped: 1,
            racks_dropped: true
        }
    );
    // One field, the filler, and zeros to the end.
    assert_eq!(out[..3], [1, 127, SHORT.len() as u8 - 3]);
    assert!(out[3..].iter().all(|byte| *byte == 0));
}

#[test]
fn slack_counts_the_size_of_the_field_as_well() {
    use kafka_protocol::messages::produce_response::NodeEndpoint;
    // Ten endpoints of twelve bytes: their field takes one byte to count before, two bytes after.
    let endpoint = NodeEndpoint::default()
        .with_node_id(BrokerId(1))
        .with_host("b".into());
    let message = ProduceResponse::default().with_node_endpoints(vec![endpoint; 10]);
    let body = super::support::encode(&message, 10);
    let tail = part(ApiKey::PRODUCE, 10, &body);
    let before = tail.len();
    let mut out = Vec::new();
    rewrite::rewrite(ApiKey::PRODUCE, 10, &body[tail], &TestNodes, &mut out).unwrap();
    let slack = rewrite::growth_reserve(vec![(1, 21); 10]);
    assert_eq!(out.len(), before + 10 * 20 + 1);
    assert!(
        out.len() + 2 <= before + slack,
        "no room for an ordinary filler is left"
    );
}

#[test]
fn a_rack_goes_before_its_endpoint_does() {
    let mut racked = vec![1, 0, 43, 2, 0, 0, 0, 1, 2, b'b', 0, 0, 0, 1, 31];
    racked.extend_from_slice(&[b'r'; 30]);
    racked.push(0);
    racked[2] = racked.len() as u8 - 3;
    let mut out = Vec::new();
    let fit = rewrite::fit_tail(ApiKey::FETCH, 16, &racked, &TestNodes, racked.len(), &mut out).unwrap();
    assert_eq!(
        fit,
        Fit {
            counts: RewriteCounts {
                rewritten: 1,
                withheld: 0
            },
            dropped: 0,
            racks_dropped: true
        }
    );
    assert!(out.windows(21).any(|window| window == b"kafka-1.proxy.example"));
}

#[test]
fn a_tail_that_is_too_long_for_its_place_is_refused_and_leaves_no_trace() {
    let mut out = vec![7];
    assert!(rewrite::fit_tail(ApiKey::FETCH, 16, SHORT, &TestNodes, 0, &mut out).is_err());
    assert_eq!(out, [7]);
}

#[test]
fn one_byte_of_padding_is_a_longer_field_count() {
    let mut out = Vec::new();
    rewrite::fit_tail(ApiKey::FETCH, 16, &[0], &TestNodes, 2, &mut out).unwrap();
    assert_eq!(out, [0x80, 0]);
    out.clear();
    rewrite::fit_tail(ApiKey::FETCH, 16, &[0], &TestNodes, 3, &mut out).unwrap();
    assert_eq!(out, [1, 127, 0]);
}

#[test]
fn the_usual_tail_is_recognised_by_its_first_byte() {
    assert!(rewrite::tail_is_empty(ApiKey::FETCH, 16, &[0]));
    assert!(!rewrite::tail_is_empty(ApiKey::FETCH, 16, SHORT));
    assert!(rewrite::tail_is_empty(ApiKey::SHARE_FETCH, 1, &[1, 0]));
    assert!(!rewrite::tail_is_empty(ApiKey::SHARE_FETCH, 1, &SHORT[3..]));
}

#[test]
fn a_list_of_endpoints_that_is_not_where_it_belongs_is_refused() {
    // Field 1 before field 0: a walker that looks at the first field only would let the address through.
    let mut out_of_order = vec![2, 1, 0];
    out_of_order.extend_from_slice(&SHORT[1..]);
    // Field 0 twice.
    let mut twice = vec![2];
    twice.extend_from_slice(&SHORT[1..]);
    twice.extend_from_slice(&SHORT[1..]);
    // Something behind the end.
    let mut more = SHORT.to_vec();
    more.push(0);
    for tail in [out_of_order, twice, more] {
        let mut out = Vec::new();
        assert!(rewrite::rewrite(ApiKey::FETCH, 16, &tail, &TestNodes, &mut out).is_err());
        assert!(out.is_empty());
    }
}

#[test]
fn ten_megabytes_of_fetch_are_walked_in_pieces() {
    use kafka_protocol::messages::fetch_response::*;
    let partition = PartitionData::default().with_records(Some(vec![0xaa; 200_000].into()));
    let endpoint = NodeEndpoint::default()
        .with_node_id(BrokerId(1))
        .with_host("b".into());
    let topic = FetchableTopicResponse::default().with_partitions(vec![partition; 10]);
    let message = FetchResponse::default()
        .with_responses(vec![topic; 5])
        .with_node_endpoints(vec![endpoint]);
    let body = super::support::encode(&message, 17);
    assert!(body.len() > 10_000_000);
    let whole = part(ApiKey::FETCH, 17, &body).start;
    let mut state = 1u32;
    let found = find_in_chunks(ApiKey::FETCH, 17, &body, || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 15) as usize
    });
    assert_eq!(found, whole);
    check_fit(ApiKey::FETCH, 17, &body, 0, &TestNodes);
}
