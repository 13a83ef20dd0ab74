//! Steps that failed, certificates, logins, clocks.

use std::collections::HashSet;

use super::super::FindingKind as Kind;
use super::super::client::{ShownCertificate, StepAction, StepError, StepSeen, StepSubject, WalkStep};
use super::FindingList;
use crate::time::{from_unix_seconds, rfc3339};
use crate::tls::FailureKind;

/// Time before the expiry of a certificate from which on it is a finding, in seconds.
const EXPIRES_SOON: i64 = 14 * 24 * 3600;

/// Difference between two clocks from which on it is a finding, in milliseconds.
const CLOCK_DIFFERENCE: u64 = 5_000;

pub(super) fn judge(findings: &mut FindingList<'_>, now: i64) {
    let mut dates_told = HashSet::new();
    for (place, step) in findings.steps() {
        let of_target = matches!(step.subject, StepSubject::Target | StepSubject::TargetBroker(_));
        match &step.result {
            // What clients cannot do there says nothing of kproxy; what kproxy cannot do fails every session.
            Err(error) if of_target && !matches!(error, StepError::NoOwnLogin(_)) => {
                findings.push(Kind::TargetUnknown, place, format!("{}: {error}", step.address));
            }
            Err(error) => failed(findings, (place, step), error, now),
            Ok(_) if of_target => {}
            Ok(StepSeen::Secured(shown)) => {
                if let Some(facts) = &shown.facts
                    && dates_told.insert((&facts.subject, facts.not_after))
                {
                    dates(findings, place, shown, now);
                }
                name(findings, place, shown);
            }
            Ok(StepSeen::LoggedIn {
                is_readable: true, ..
            }) if step.subject == StepSubject::Bootstrap => {
                let what = "PLAIN without TLS sends the password as it is".to_owned();
                findings.push(Kind::PasswordReadable, place, what);
            }
            Ok(StepSeen::ReadBack {
                clock_difference_millis: Some(difference),
            }) if difference.unsigned_abs() > CLOCK_DIFFERENCE => {
                let what =
                    format!("the clock of the broker differs by {difference} ms from that of this machine");
                findings.push(Kind::ClockDiffers, place, what);
            }
            Ok(_) => {}
        }
    }
}

fn failed(findings: &mut FindingList<'_>, (place, step): (usize, &WalkStep), error: &StepError, now: i64) {
    let address = &step.address;
    let kind = match (error, step.action) {
        (StepError::NoTimeLeft, _) => Kind::OutOfTime,
        (StepError::NoAnswer(_), StepAction::Resolve) => Kind::NameUnresolved,
        (StepError::NoAnswer(_), StepAction::Connect) | (StepError::NoConnection(_), _) => Kind::Unreachable,
        (StepError::NoAnswer(_), _) => Kind::NoAnswer,
        (StepError::NameUnknown(_), _) => Kind::NameUnresolved,
        (StepError::NoTls { failure, shown }, _) => {
            return refused(findings, place, (failure.kind, error), shown, now);
        }
        (StepError::ServerClosed(_), StepAction::Metadata) if !logged_in(findings, step) => {
            Kind::LoginRequired
        }
        (_, StepAction::Identity) => Kind::IdentityUnknown,
        (StepError::VersionMissing { .. } | StepError::ApiMissing(_), StepAction::Metadata) => Kind::NotKafka,
        (StepError::VersionMissing { .. } | StepError::ApiMissing(_), _) => Kind::VersionUnknown,
        (StepError::NoLogin(_) | StepError::NoOwnLogin(_), _) => Kind::LoginFailed,
        (_, StepAction::Produce | StepAction::Fetch) | (StepError::NoRoundTrip(_), _) => {
            Kind::RoundTripFailed
        }
        (StepError::ErrorCode(_), StepAction::FindCoordinator) => Kind::CoordinatorMissing,
        (StepError::ServerClosed(_), _) => Kind::ConnectionClosed,
        (StepError::NotKafka(_) | StepError::ErrorCode(_), _) => Kind::NotKafka,
    };
    findings.push(kind, place, format!("{address}: {error}"));
}

/// Whether the connection of a step was authenticated.
fn logged_in(findings: &FindingList<'_>, step: &WalkStep) -> bool {
    findings
        .steps()
        .any(|(_, other)| other.subject == step.subject && other.action == StepAction::Sasl)
}

/// A handshake that failed.
fn refused(
    findings: &mut FindingList<'_>,
    place: usize,
    (kind, error): (FailureKind, &StepError),
    shown: &Option<Box<ShownCertificate>>,
    now: i64,
) {
    let before = findings.found.len();
    if let Some(shown) = shown {
        match kind {
            FailureKind::NameMismatch => name_fault(findings, place, shown),
            FailureKind::CertificateRejected => dates(findings, place, shown, now),
            _ => {}
        }
    }
    let is_told = findings.found[before..]
        .iter()
        .any(|found| found.kind != Kind::CertificateExpires);
    let kind = match (kind, shown) {
        _ if is_told => return,
        (FailureKind::CertificateRejected, Some(shown)) if !shown.is_verified => Kind::CertificateOther,
        (FailureKind::CertificateRejected, _) => Kind::CertificateUntrusted,
        _ => Kind::TlsFailed,
    };
    let what = match (kind, shown) {
        (Kind::CertificateOther, Some(shown)) => format!("the server shows {shown}"),
        _ => error.to_string(),
    };
    findings.push(kind, place, what);
}

fn dates(findings: &mut FindingList<'_>, place: usize, shown: &ShownCertificate, now: i64) {
    let Some(facts) = &shown.facts else { return };
    let subject = &facts.subject;
    let at = |seconds| rfc3339(from_unix_seconds(seconds));
    if now > facts.not_after {
        let what = format!("the certificate of {subject} expired at {}", at(facts.not_after));
        findings.push(Kind::CertificateExpired, place, what);
    } else if now < facts.not_before {
        let what = format!(
            "the certificate of {subject} is valid from {} on, and the clock says {}",
            at(facts.not_before),
            at(now)
        );
        findings.push(Kind::CertificateNotYetValid, place, what);
    } else if facts.not_after - now < EXPIRES_SOON {
        let what = format!("the certificate of {subject} expires at {}", at(facts.not_after));
        findings.push(Kind::CertificateExpires, place, what);
    }
}

/// Names of an accepted certificate. Where the issuer was checked, the name was checked, too.
fn name(findings: &mut FindingList<'_>, place: usize, shown: &ShownCertificate) {
    if shown.is_verified {
        return;
    }
    name_fault(findings, place, shown);
    if !findings
        .found
        .iter()
        .any(|found| found.kind == Kind::IssuerUnchecked)
    {
        let what = "the certificate was not checked as clients check it".to_owned();
        findings.push(Kind::IssuerUnchecked, place, what);
    }
}

fn name_fault(findings: &mut FindingList<'_>, place: usize, shown: &ShownCertificate) {
    let Some(facts) = shown.facts.as_ref().filter(|facts| !facts.covers(&shown.name)) else {
        return;
    };
    let mut names = facts.dns_names.clone();
    names.extend(facts.ip_addresses.iter().map(ToString::to_string));
    names.truncate(8);
    let names = if names.is_empty() {
        "no name".to_owned()
    } else {
        names.join(", ")
    };
    let what = format!(
        "the certificate of {} does not cover {}, but {names}",
        facts.subject, shown.name
    );
    findings.push(Kind::CertificateName, place, what);
}
