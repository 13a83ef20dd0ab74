//! TLS towards brokers before and after its files were replaced: whether it is still the same way to them.

use std::path::Path;

use super::{UpstreamTls, UpstreamTrust};
use crate::pki::{Identity, RevocationLists, TrustStore};

/// How far settings are from what they were, from the least disturbing to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Handshakes would come out the same, wherever the material is read from.
    None,
    /// The files that are named hold something else now: handshakes from now on go by it, and connections that are
    /// there stay.
    Renewed,
    /// Another way to the brokers, or to others.
    Other,
}

/// What is read from a file that is replaced while it is in use.
trait Material {
    fn file(&self) -> &Path;
    fn has_content_of(&self, other: &Self) -> bool;
}

macro_rules! material {
    ($($kind:ty),+) => {$(
        impl Material for $kind {
            fn file(&self) -> &Path {
                <$kind>::file(self)
            }

            fn has_content_of(&self, other: &Self) -> bool {
                <$kind>::has_content_of(self, other)
            }
        }
    )+};
}

material!(Identity, TrustStore, RevocationLists);

/// To name a file where none was, or none any more, is no renewal.
fn between<M: Material>(before: Option<&M>, after: Option<&M>) -> Difference {
    match (before, after) {
        (None, None) => Difference::None,
        (Some(before), Some(after)) if after.has_content_of(before) => Difference::None,
        (Some(before), Some(after)) if after.file() == before.file() => Difference::Renewed,
        _ => Difference::Other,
    }
}

fn unless(same: bool) -> Difference {
    if same { Difference::None } else { Difference::Other }
}

impl UpstreamTls {
    /// How far it is from `before`.
    pub fn differs_from(&self, before: &Self) -> Difference {
        let Self {
            trust: _,
            identity: _,
            server_name,
            revoked: _,
            negotiation,
        } = self;
        let parts = [
            self.trust_differs_from(before),
            self.identity_differs_from(before),
            self.revoked_differs_from(before),
            unless(*server_name == before.server_name),
            unless(*negotiation == before.negotiation),
        ];
        parts.into_iter().fold(Difference::None, Ord::max)
    }

    /// As [`UpstreamTls::differs_from`], of whom is believed alone.
    pub fn trust_differs_from(&self, before: &Self) -> Difference {
        match (&before.trust, &self.trust) {
            (UpstreamTrust::Store(before), UpstreamTrust::Store(after)) => {
                between(Some(&**before), Some(after))
            }
            (before, after) => unless(before == after),
        }
    }

    /// As [`UpstreamTls::differs_from`], of the client certificate alone.
    pub fn identity_differs_from(&self, before: &Self) -> Difference {
        between(before.identity.as_deref(), self.identity.as_deref())
    }

    /// As [`UpstreamTls::differs_from`], of revocation alone.
    pub fn revoked_differs_from(&self, before: &Self) -> Difference {
        between(before.revoked.as_deref(), self.revoked.as_deref())
    }
}
