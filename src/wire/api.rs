//! The APIs a client may use through kproxy: versions, header flavours, and what a proxy has to know of each.
//!
//! Version ranges are those of the schemas ([`schema`]), the union of what Kafka 0.11 to 3.9 and 4.x brokers understand:
//! kproxy lowers a broker's maximum to its own, so the upper ends are the promise that header flavours and address-bearing
//! layouts are known. Tests compare what walks over messages with the schemas.
//!
//! An API is described in `table.rs` alone. A response that names brokers in a new layout gets a variant of
//! [`AddressLayout`] there; the compiler then asks for its reader and writer in [`rewrite`](super::rewrite).

mod table;

pub use table::{AddressLayout, ApiKey, MaxWaitPosition, NamedThing, ThrottlePosition};
use table::{BY_KEY, NOT_FORWARDED, TABLE};

use super::schema;

/// One API a client may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Api {
    /// Number on the wire (`apiKey`).
    pub key: i16,
    /// Name in Kafka's schemas, without `Request`.
    pub name: &'static str,
    /// Lowest version that any supported broker understands.
    pub min: i16,
    /// Highest version whose layout kproxy knows.
    pub max: i16,
    /// First version with compact lengths and tagged fields (KIP-482); [`NEVER`] if there is none.
    pub first_flexible: i16,
    /// Broker addresses in its responses, if any.
    pub addresses: Option<AddressPlacement>,
    /// `throttle_time_ms` in its responses, if clients obey it.
    pub throttle: Option<ThrottleField>,
    /// What its requests are about by name, if that is a group or a transaction. FindCoordinator may be about either, and
    /// stands with groups; ListGroups and ListTransactions name none.
    pub names: Option<NamedThing>,
    /// `max_wait_ms` in its requests, if there is one.
    pub max_wait: Option<MaxWaitPosition>,
    /// First version whose requests may be executed twice, see [`Self::is_safe_to_repeat`]; [`NEVER`] if none may.
    pub first_repeatable: i16,
    /// The broker holds the answer back until there is something to say (a Fetch without data, a group that is
    /// rebalancing): the time to the answer tells nothing about the broker.
    pub is_parked: bool,
    /// It belongs to a client and a broker introducing themselves (ApiVersions, SASL), before any real request.
    pub is_preamble: bool,
}

/// [`Api::first_flexible`] and [`Api::first_repeatable`] of an API that has no such version.
pub const NEVER: i16 = i16::MAX;

/// The layout of broker addresses in the responses of one API, since a certain version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPlacement {
    /// Where they stand and how they are encoded.
    pub layout: AddressLayout,
    /// First version that has them.
    pub since: i16,
}

/// `throttle_time_ms` of one API's responses (KIP-219), as far as clients obey it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleField {
    /// Where it stands in the body.
    pub position: ThrottlePosition,
    /// First version whose answers make the Java client pause (`shouldClientThrottle` of its response classes).
    pub since: i16,
}

impl Api {
    /// A row of the table with nothing but the versions that the schemas have.
    const fn row(key: i16, name: &'static str) -> Self {
        let Some(versions) = schema::request_versions(key) else {
            panic!("the schemas have no such API");
        };
        Self {
            key,
            name,
            min: versions.first,
            max: versions.last,
            first_flexible: match versions.first_flexible {
                Some(version) => version,
                None => NEVER,
            },
            addresses: None,
            throttle: None,
            names: None,
            max_wait: None,
            first_repeatable: NEVER,
            is_parked: false,
            is_preamble: false,
        }
    }

    /// Its responses name brokers, since the version in which the schemas have a host and a port.
    const fn addresses(mut self, layout: AddressLayout) -> Self {
        let Some(since) = schema::first_with_host(self.key) else {
            panic!("the schemas have no addresses in its answers");
        };
        self.addresses = Some(AddressPlacement { layout, since });
        self
    }

    /// Clients obey its throttle time since version `since`. JoinGroup and SyncGroup are left out although they
    /// qualify: a pause there delays the whole group's rebalance, and their connections carry no load.
    const fn throttled(mut self, position: ThrottlePosition, since: i16) -> Self {
        self.throttle = Some(ThrottleField { position, since });
        self
    }

    /// Its requests are about one of these, by name.
    const fn names(mut self, thing: NamedThing) -> Self {
        self.names = Some(thing);
        self
    }

    /// Its requests say how long the broker may hold them back.
    const fn max_wait(mut self, position: MaxWaitPosition) -> Self {
        self.max_wait = Some(position);
        self
    }

    /// Its requests may be executed twice since version `since`.
    const fn repeatable(mut self, since: i16) -> Self {
        self.first_repeatable = since;
        self
    }

    /// Brokers hold its answers back on purpose.
    const fn parked(mut self) -> Self {
        self.is_parked = true;
        self
    }

    /// Clients use it to introduce themselves.
    const fn preamble(mut self) -> Self {
        self.is_preamble = true;
        self
    }

    /// Whether kproxy knows this version.
    #[inline]
    pub const fn supports(&self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// Whether a request of this version has header v2 (tagged fields) and a flexible body.
    #[inline]
    pub const fn request_is_flexible(&self, version: i16) -> bool {
        version >= self.first_flexible
    }

    /// Whether a response of this version has header v1 (tagged fields).
    ///
    /// `ApiVersions` answers keep header v0 in every version, so that a client can read the answer to a version
    /// the broker does not know (KIP-511). Their *body* is flexible nonetheless.
    #[inline]
    pub const fn response_header_is_flexible(&self, version: i16) -> bool {
        version >= self.first_flexible && self.key != ApiKey::API_VERSIONS
    }

    /// The layout of the broker addresses in a response of this version; `None` if it has none.
    #[inline]
    pub const fn address_layout(&self, version: i16) -> Option<AddressLayout> {
        match self.addresses {
            Some(AddressPlacement { layout, since }) if version >= since => Some(layout),
            _ => None,
        }
    }

    /// Whether executing a request of this version twice is as good as once: it only reads, or the repetition finds the
    /// broker where the first one has left it. A client loses nothing if its answer never comes.
    ///
    /// JoinGroup qualifies since the client knows its member id before it waits for the others (version 4, KIP-394): an
    /// older one that goes unanswered leaves a member behind for which the group waits until its session times out.
    /// ShareFetch does not qualify, for it acquires records and acknowledges others.
    pub const fn is_safe_to_repeat(&self, version: i16) -> bool {
        version >= self.first_repeatable
    }

    /// Whether clients obey the throttle time in answers of this version.
    pub const fn is_throttle_obeyed(&self, version: i16) -> bool {
        match self.throttle {
            Some(field) => version >= field.since,
            None => false,
        }
    }
}

/// The API of this number, if a client may use it through kproxy. Constant time.
///
/// APIs between controllers and brokers (`Vote`, `BrokerRegistration`, …) are not here: see [`name_of`].
#[inline]
pub fn api(key: i16) -> Option<&'static Api> {
    // A negative key becomes an index far beyond the table.
    BY_KEY.get(key as u16 as usize)?.as_ref()
}

/// Every API a client may use, in ascending order of key.
pub fn apis() -> impl Iterator<Item = &'static Api> {
    BY_KEY.iter().flatten()
}

/// Name of an API for logs, also of one that is not forwarded.
pub fn name_of(key: i16) -> Option<&'static str> {
    if let Some(known) = api(key) {
        return Some(known.name);
    }
    NOT_FORWARDED
        .iter()
        .find(|(number, _)| *number == key)
        .map(|(_, name)| *name)
}

/// Whether a response body of this version is flexible; false for an API that is not forwarded.
pub(crate) fn body_is_flexible(key: i16, version: i16) -> bool {
    api(key).is_some_and(|known| known.request_is_flexible(version))
}

/// The row of an API, for use in constants.
pub(crate) const fn row(key: usize) -> Option<Api> {
    TABLE[key]
}

/// First version of an API whose responses name brokers, for use in constants; [`NEVER`] if none does.
pub(crate) const fn first_with_addresses(key: i16) -> i16 {
    match TABLE[key as usize] {
        Some(Api {
            addresses: Some(addresses),
            ..
        }) => addresses.since,
        _ => NEVER,
    }
}

/// Highest version of an API that is known to be in the table, for use in constants.
pub(crate) const fn highest(key: i16) -> i16 {
    match TABLE[key as usize] {
        Some(known) => known.max,
        None => panic!("not in the table"),
    }
}

/// Largest number of an API in the table.
pub const HIGHEST_KEY: usize = schema::HIGHEST_KEY as usize;

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::ApiKey as OracleKey;
    use kafka_protocol::protocol::Message as _;

    use super::table::FORWARDED;
    use super::*;

    #[test]
    fn every_key_up_to_the_highest_has_a_name_and_only_one_home() {
        for key in 0..=HIGHEST_KEY as i16 {
            assert!(name_of(key).is_some(), "key {key} has no name");
            let refused = NOT_FORWARDED.iter().any(|(number, _)| *number == key);
            assert_ne!(api(key).is_some(), refused, "key {key}");
        }
        assert_eq!(apis().count(), FORWARDED.len());
    }

    /// Fields that name a group, and fields that name a transaction.
    const OF_GROUPS: &[&str] = &[
        "group_id",
        "group_ids",
        "groups",
        "groups_names",
        "key",
        "coordinator_keys",
    ];
    const OF_TRANSACTIONS: &[&str] = &[
        "transactional_id",
        "transactional_ids",
        "v3_and_below_transactional_id",
    ];

    #[test]
    fn an_api_about_a_group_or_a_transaction_names_it() {
        for api in apis() {
            let has_any = |names: &[&str]| {
                (api.min..=api.max).any(|version| {
                    let request = schema::Draft::new(api.key, schema::Direction::Request, version);
                    request.is_some_and(|request| names.iter().any(|name| request.knows(name)))
                })
            };
            match api.names {
                Some(NamedThing::Group) => assert!(has_any(OF_GROUPS), "{}", api.name),
                Some(NamedThing::Transaction) => assert!(has_any(OF_TRANSACTIONS), "{}", api.name),
                // A producer is denied by topic; brokers keep the state of share groups among themselves.
                None if api.key == ApiKey::PRODUCE || api.name.ends_with("ShareGroupState") => {}
                None if api.key == ApiKey::READ_SHARE_GROUP_STATE_SUMMARY => {}
                None => assert!(!has_any(OF_GROUPS) && !has_any(OF_TRANSACTIONS), "{}", api.name),
            }
        }
    }

    #[test]
    fn names_are_those_of_the_schemas() {
        for key in schema::api_keys() {
            assert_eq!(name_of(key), schema::name(key), "key {key}");
        }
    }

    #[test]
    fn keys_beyond_the_table_are_unknown() {
        for key in [-1, i16::MIN, HIGHEST_KEY as i16 + 1, 10_000, i16::MAX] {
            assert_eq!(api(key), None);
            assert_eq!(name_of(key), None);
        }
    }

    #[test]
    fn header_flavours_agree_with_the_oracle_for_every_version_it_knows() {
        let mut compared = 0;
        for known in apis() {
            let Ok(oracle) = OracleKey::try_from(known.key) else {
                continue;
            };
            let versions = oracle.valid_versions();
            for version in versions.min..=versions.max {
                let request = if known.request_is_flexible(version) { 2 } else { 1 };
                let response = i16::from(known.response_header_is_flexible(version));
                assert_eq!(
                    request,
                    oracle.request_header_version(version),
                    "{} v{version}",
                    known.name
                );
                assert_eq!(
                    response,
                    oracle.response_header_version(version),
                    "{} v{version}",
                    known.name
                );
                compared += 1;
            }
        }
        assert!(compared > 200, "compared only {compared} versions");
    }

    #[test]
    fn ranges_contain_what_the_oracle_knows() {
        for known in apis() {
            let Ok(oracle) = OracleKey::try_from(known.key) else {
                continue;
            };
            let versions = oracle.valid_versions();
            assert!(
                known.min <= versions.min && versions.max <= known.max,
                "{} {}..={} does not contain {versions:?}",
                known.name,
                known.min,
                known.max
            );
        }
        // The oracle stops at Kafka 4.1; this is where the table goes beyond it.
        assert_eq!(
            kafka_protocol::messages::ApiVersionsResponse::VERSIONS.max + 1,
            api(18).unwrap().max
        );
    }

    #[test]
    fn every_api_of_the_oracle_is_forwarded_or_refused_by_name() {
        for key in 0..i16::MAX {
            if let Ok(oracle) = OracleKey::try_from(key) {
                assert!(name_of(key).is_some(), "{oracle:?} has no row");
            }
        }
    }

    #[test]
    fn requests_that_change_something_are_not_repeatable() {
        let row = |key| api(key).unwrap();
        for key in [
            ApiKey::PRODUCE,
            ApiKey::OFFSET_COMMIT,
            ApiKey::TXN_OFFSET_COMMIT,
            ApiKey::END_TXN,
            ApiKey::INIT_PRODUCER_ID,
            ApiKey::LEAVE_GROUP,
            ApiKey::SHARE_FETCH,
            ApiKey::SHARE_ACKNOWLEDGE,
            ApiKey::SASL_HANDSHAKE,
            ApiKey::SASL_AUTHENTICATE,
        ] {
            assert!(!row(key).is_safe_to_repeat(0), "{key}");
        }
        let verbs = [
            "Create",
            "Alter",
            "Delete",
            "Write",
            "Incremental",
            "Renew",
            "Expire",
        ];
        for known in apis().filter(|known| verbs.iter().any(|verb| known.name.starts_with(verb))) {
            assert!(!known.is_safe_to_repeat(known.max), "{}", known.name);
        }
    }

    #[test]
    fn a_join_without_a_known_member_id_is_not_repeatable() {
        for version in 0..=9 {
            assert_eq!(
                api(ApiKey::JOIN_GROUP).unwrap().is_safe_to_repeat(version),
                version >= 4
            );
            assert!(api(ApiKey::SYNC_GROUP).unwrap().is_safe_to_repeat(version));
        }
    }

    #[test]
    fn clients_obey_the_throttle_time_from_certain_versions_on() {
        for (key, since) in [
            (ApiKey::PRODUCE, 6),
            (ApiKey::FETCH, 8),
            (ApiKey::METADATA, 6),
            (ApiKey::FIND_COORDINATOR, 2),
            (ApiKey::OFFSET_COMMIT, 4),
            (ApiKey::HEARTBEAT, 2),
            (ApiKey::END_TXN, 1),
        ] {
            let row = api(key).unwrap();
            assert!(
                row.is_throttle_obeyed(since) && !row.is_throttle_obeyed(since - 1),
                "{key}"
            );
        }
        for key in [
            ApiKey::JOIN_GROUP,
            ApiKey::API_VERSIONS,
            ApiKey::SASL_AUTHENTICATE,
        ] {
            assert!(!api(key).unwrap().is_throttle_obeyed(i16::MAX), "{key}");
        }
    }
}
