//! Certificates in use that expire soon, or have expired: each is told of once before and once at its end.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::control::events::{CertificateEvent, Event};
use crate::model::{CertificateEnd, ProxyModel};

/// The certificates of the running configuration, and which have been told of.
#[derive(Debug, Default)]
pub(in crate::control) struct CertificateWatch {
    model: Option<Arc<ProxyModel>>,
    ends: Vec<CertificateEnd>,
    /// File, end, and whether it was the end that was told of.
    told: HashSet<(String, i64, bool)>,
}

impl CertificateWatch {
    /// What is to be told at `now`, in seconds since 1970-01-01 UTC.
    pub(in crate::control) fn check(&mut self, model: &Arc<ProxyModel>, now: i64) -> Vec<Event> {
        if !self.model.as_ref().is_some_and(|known| Arc::ptr_eq(known, model)) {
            self.ends = model.certificate_ends();
            self.model = Some(Arc::clone(model));
            let ends = &self.ends;
            // What has been replaced is told of again if it comes back.
            self.told
                .retain(|(file, at, _)| ends.iter().any(|end| end.file == *file && end.not_after == *at));
        }
        let due = self.ends.iter().filter(|end| end.soon <= now);
        let due = due.filter(|end| {
            let expired = end.not_after < now;
            self.told.insert((end.file.clone(), end.not_after, expired))
        });
        due.map(|end| event(end, now)).collect()
    }
}

fn event(end: &CertificateEnd, now: i64) -> Event {
    let since_1970 = Duration::from_secs(u64::try_from(end.not_after).unwrap_or_default());
    Event::CertificateExpiry(CertificateEvent {
        file: end.file.clone(),
        expires_at: UNIX_EPOCH + since_1970,
        expired: end.not_after < now,
    })
}
