//! The round trip: one record is written to partition 0 of a topic and read again, at the leader.

use std::time::SystemTime;

use super::super::client::messages::{self, Call, ServerError};
use super::super::client::{
    Link, LinkRoute, RoundTripRecord, StepAction, StepError, StepLog, StepSeen, fetch_request, read_offset,
    read_records,
};
use crate::model::HostPort;

/// Time for which the broker may wait for the record, in milliseconds.
const FETCH_WAIT: i32 = 500;

/// Asks `link` for the leader, connects to it, writes and reads.
pub(super) async fn perform(route: &LinkRoute, topic: &str, link: &mut Link, log: &mut StepLog) {
    let ask = find_leader(topic, link);
    let found = log.step(StepAction::Metadata, ask, |(id, address)| StepSeen::Coordinated {
        node: *id,
        address: address.clone(),
    });
    let Some((_, address)) = found.await else { return };
    let mut own = StepLog::new(log.subject, address, log.limits);
    if let Some(mut leader) = route.open(&mut own).await {
        write_and_read(topic, &mut leader, &mut own).await;
    }
    log.steps.append(&mut own.steps);
}

async fn find_leader(topic: &str, link: &mut Link) -> Result<(i32, HostPort), StepError> {
    let wrong = |why: String| Err(StepError::NoRoundTrip(why));
    let request = messages::metadata_request(Some(topic));
    let answer = link.ask_known(Call::METADATA, &request).await?;
    let listing = messages::read_listing(&answer, Some(topic))?;
    match listing.topic {
        None => wrong("the answer does not have the topic".into()),
        Some(found) if found.error != 0 => wrong(format!("the topic cannot be used (error {})", found.error)),
        Some(found) => match found.leader.and_then(|id| Some((id, listing.brokers.get(&id)?))) {
            Some((id, address)) => Ok((id, address.clone())),
            None => wrong("partition 0 of the topic has no leader".into()),
        },
    }
}

async fn write_and_read(topic: &str, leader: &mut Link, log: &mut StepLog) {
    let now = unix_millis();
    let Ok(record) = RoundTripRecord::new(now) else {
        return;
    };
    let timeout = i32::try_from(log.limits.step.as_millis()).unwrap_or(i32::MAX);
    let write = async {
        let answer = leader
            .ask_known(Call::PRODUCE, &record.produce_request(topic, timeout))
            .await?;
        match read_offset(&answer)? {
            (ServerError { code: 0, .. }, offset) => Ok(offset),
            (error, _) => Err(StepError::ErrorCode(error)),
        }
    };
    let seen = |offset: &i64| StepSeen::Written { offset: *offset };
    let Some(offset) = log.step(StepAction::Produce, write, seen).await else {
        return;
    };
    let read = async {
        let answer = leader
            .ask_known(Call::FETCH, &fetch_request(topic, offset, FETCH_WAIT))
            .await?;
        match read_records(&answer)? {
            (ServerError { code: 0, .. }, records) => record.find(offset, records),
            (error, _) => Err(StepError::ErrorCode(error)),
        }
    };
    log.step(StepAction::Fetch, read, |stored| StepSeen::ReadBack {
        clock_difference_millis: stored.broker_time_millis.map(|time| time.saturating_sub(now)),
    })
    .await;
}

fn unix_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}
