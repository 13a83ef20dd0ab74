//! Differences between the TLS settings of a target before and after a change of its files.

use std::path::Path;

use super::{UpstreamTls, UpstreamTrust};
use crate::pki::{Identity, RevocationLists, TrustStore};

/// Degree of a difference, from the least disturbing to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// Handshakes have the same result, whatever files the material is read from.
    None,
    /// The named files have new contents. New handshakes use them; existing connections stay.
    Renewed,
    /// Different settings: other brokers, or another way to connect to them.
    Incompatible,
}

/// Contents of a file that may be replaced while it is in use.
trait FileContent {
    fn file(&self) -> &Path;
    fn has_content_of(&self, other: &Self) -> bool;
}

macro_rules! material {
    ($($kind:ty),+) => {$(
        impl FileContent for $kind {
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

/// The difference of one file. To name a file for the first time, or no longer, is not a renewal.
fn between<M: FileContent>(before: Option<&M>, after: Option<&M>) -> Difference {
    match (before, after) {
        (None, None) => Difference::None,
        (Some(before), Some(after)) if after.has_content_of(before) => Difference::None,
        (Some(before), Some(after)) if after.file() == before.file() => Difference::Renewed,
        _ => Difference::Incompatible,
    }
}

fn unless(same: bool) -> Difference {
    if same {
        Difference::None
    } else {
        Difference::Incompatible
    }
}

impl UpstreamTls {
    /// The difference to `before`.
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

    /// The difference of the trusted certificates to those of `before`.
    pub fn trust_differs_from(&self, before: &Self) -> Difference {
        match (&before.trust, &self.trust) {
            (UpstreamTrust::Store(before), UpstreamTrust::Store(after)) => {
                between(Some(&**before), Some(after))
            }
            (before, after) => unless(before == after),
        }
    }

    /// The difference of the client certificate to that of `before`.
    pub fn identity_differs_from(&self, before: &Self) -> Difference {
        between(before.identity.as_deref(), self.identity.as_deref())
    }

    /// The difference of the revocation lists to those of `before`.
    pub fn revoked_differs_from(&self, before: &Self) -> Difference {
        between(before.revoked.as_deref(), self.revoked.as_deref())
    }
}
