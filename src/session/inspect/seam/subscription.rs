//! Which frames are lifted out, and how far.

use std::sync::{Arc, LazyLock};

use super::Lift;
use crate::filter::Chain;
use crate::wire::api::{self, Api, ApiKey, HIGHEST_KEY, NEVER};
use crate::wire::rewrite::Placement;

/// Parts of one API's frames that are lifted out.
#[derive(Debug, Clone, Copy)]
pub(in crate::session::inspect) struct Subscription {
    /// Part of requests, in every version. Whole where filters read requests or answers of the API.
    request: Lift,
    /// Filters read requests or answers of the API, or do not offer every version of it.
    filtered: bool,
    /// Part of responses, in versions from `response_since` on.
    response: Lift,
    response_since: i16,
}

impl Subscription {
    const NONE: Self = Self {
        request: Lift::None,
        filtered: false,
        response: Lift::None,
        response_since: NEVER,
    };

    /// How much of a request is lifted out before it is forwarded.
    #[inline]
    pub(in crate::session::inspect) fn request(self) -> Lift {
        self.request
    }

    /// Whether a request is shown to the filters before anything else reads it.
    #[inline]
    pub(in crate::session::inspect) fn is_filtered(self) -> bool {
        self.filtered
    }

    /// How much of a response of this version is lifted out before it is forwarded.
    #[inline]
    pub(in crate::session::inspect) fn response(self, version: i16) -> Lift {
        if version >= self.response_since {
            self.response
        } else {
            Lift::None
        }
    }

    /// The parts that kproxy reads itself.
    const fn built_in(api: &Api) -> Self {
        let request = match api.key {
            // acks; who the client is; the SASL token.
            ApiKey::PRODUCE | ApiKey::API_VERSIONS | ApiKey::SASL_AUTHENTICATE => Lift::Prefix,
            // They tie the session to its broker connection.
            ApiKey::SHARE_FETCH | ApiKey::SHARE_ACKNOWLEDGE => Lift::Prefix,
            ApiKey::SASL_HANDSHAKE => Lift::Whole,
            _ => Lift::None,
        };
        let (response, response_since) = match (api.key, api.addresses) {
            (ApiKey::API_VERSIONS | ApiKey::SASL_HANDSHAKE, _) => (Lift::Whole, 0),
            (ApiKey::SASL_AUTHENTICATE, _) => (Lift::Prefix, 0),
            (_, None) => (Lift::None, NEVER),
            (_, Some(addresses)) => (lift(addresses.layout.placement()), addresses.since),
        };
        Self {
            request,
            filtered: false,
            response,
            response_since,
        }
    }
}

const fn lift(placement: Placement) -> Lift {
    match placement {
        Placement::None => Lift::None,
        Placement::Prefix => Lift::Prefix,
        Placement::Tail => Lift::Tail,
        Placement::Whole => Lift::Whole,
    }
}

/// A chain of filters with what is lifted out for it; both are shared by the sessions of a cluster.
#[derive(Debug)]
pub struct InstalledChain {
    /// The chain.
    pub chain: Arc<Chain>,
    pub(in crate::session::inspect) subscriptions: Arc<Subscriptions>,
}

impl InstalledChain {
    /// The chain, ready for sessions.
    pub fn new(chain: Arc<Chain>) -> Self {
        let subscriptions = Arc::new(Subscriptions::of_chain(&chain));
        Self { chain, subscriptions }
    }
}

/// The subscriptions of a session, by API key. Looked up once per frame, so that a frame without a reader costs one load.
#[derive(Debug, Clone)]
pub(in crate::session::inspect) struct Subscriptions([Subscription; HIGHEST_KEY + 1]);

impl Subscriptions {
    /// The parts that kproxy reads in every session.
    pub(in crate::session::inspect) fn built_in() -> Arc<Self> {
        static SHARED: LazyLock<Arc<Subscriptions>> = LazyLock::new(|| Arc::new(BUILT_IN.clone()));
        static BUILT_IN: Subscriptions = {
            let mut table = [Subscription::NONE; HIGHEST_KEY + 1];
            let mut key = 0;
            while key <= HIGHEST_KEY {
                if let Some(api) = api::row(key) {
                    table[key] = Subscription::built_in(&api);
                }
                key += 1;
            }
            Subscriptions(table)
        };
        Arc::clone(&SHARED)
    }

    /// The parts that kproxy or the filters of `chain` read.
    fn of_chain(chain: &Chain) -> Self {
        let mut all = Self::clone(&Self::built_in());
        for api in api::apis() {
            let interest = chain.interest().of(api.key);
            let narrowed = chain.offers(api) != Some((api.min, api.max));
            if narrowed || interest.is_any() {
                let subscription = &mut all.0[api.key as usize];
                subscription.request = Lift::Whole;
                subscription.filtered = true;
            }
        }
        all
    }

    /// The subscription of an API.
    #[inline]
    pub(in crate::session::inspect) fn of(&self, api: &Api) -> Subscription {
        self.0
            .get(api.key as u16 as usize)
            .copied()
            .unwrap_or(Subscription::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifts(key: i16, version: i16) -> (Lift, Lift) {
        let api = api::api(key).unwrap();
        let subscription = Subscriptions::built_in().of(api);
        (subscription.request(), subscription.response(version))
    }

    #[test]
    fn most_apis_are_not_lifted_out_at_all() {
        let plain = api::apis().filter(|api| lifts(api.key, api.max) == (Lift::None, Lift::None));
        assert_eq!(plain.count(), api::apis().count() - 11);
    }

    #[test]
    fn answers_are_lifted_out_from_the_version_that_has_addresses() {
        for (key, version, lift) in [
            (ApiKey::PRODUCE, 9, Lift::None),
            (ApiKey::PRODUCE, 10, Lift::Tail),
            (ApiKey::FETCH, 15, Lift::None),
            (ApiKey::FETCH, 16, Lift::Tail),
            (ApiKey::METADATA, 0, Lift::Prefix),
            (ApiKey::DESCRIBE_QUORUM, 1, Lift::None),
            (ApiKey::DESCRIBE_QUORUM, 2, Lift::Whole),
        ] {
            assert_eq!(lifts(key, version).1, lift, "{key} v{version}");
        }
    }

    #[test]
    fn a_preamble_is_never_forwarded_unread() {
        for api in api::apis().filter(|api| api.is_preamble) {
            let (request, response) = lifts(api.key, api.min);
            assert!(request > Lift::None && response > Lift::None, "{}", api.name);
        }
    }
}
