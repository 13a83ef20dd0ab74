//! Request counters and latencies of one cluster on one worker.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Histogram;
use crate::wire::api::{self, Api, HIGHEST_KEY};
use crate::wire::header::RequestHead;

/// Number of versions counted per API. No API has more.
const VERSIONS: usize = 24;

/// Counters that one worker writes, so that adding to them is cheap; any thread may read.
#[derive(Debug)]
pub struct WorkerCounters {
    /// Requests by API and version; a row is created by the first request of its API.
    requests: [OnceLock<Box<[AtomicU64; VERSIONS]>>; HIGHEST_KEY + 1],
    /// Time from the read that brought a request to the first bytes of its answer, measured on the first answer of each
    /// read. Requests that a broker holds back on purpose are left out.
    pub upstream_response: Histogram,
    /// Time from a read to the end of the write of its bytes, measured on a sample of the reads.
    pub added_latency: Histogram,
}

impl Default for WorkerCounters {
    fn default() -> Self {
        Self {
            requests: [const { OnceLock::new() }; HIGHEST_KEY + 1],
            upstream_response: Histogram::default(),
            added_latency: Histogram::default(),
        }
    }
}

impl WorkerCounters {
    /// Counts requests of one API and version. Unknown APIs and versions are not counted, so labels are bounded.
    #[inline]
    pub fn count(&self, api_key: i16, api_version: i16, amount: u64) {
        let row = self.requests.get(api_key as u16 as usize);
        if let Some(counter) =
            row.and_then(|row| row.get_or_init(Box::default).get(api_version as u16 as usize))
        {
            counter.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// Every API and version that has occurred, with its count.
    pub fn requests(&self) -> impl Iterator<Item = (&'static Api, i16, u64)> + '_ {
        api::apis().flat_map(|api| {
            let row = self.requests.get(api.key as u16 as usize).and_then(OnceLock::get);
            let counts = row.into_iter().flat_map(|row| row.iter());
            (0..)
                .zip(counts)
                .map(move |(version, counter)| (api, version, counter.load(Ordering::Relaxed)))
                .filter(|&(.., count)| count > 0)
        })
    }
}

/// Consecutive requests of one API and version, counted once per read.
#[derive(Debug, Default)]
pub struct Run {
    api_key: i16,
    api_version: i16,
    count: u64,
}

impl Run {
    /// Counts one request; a request of another API or version closes the run before it.
    #[inline]
    pub fn add(&mut self, head: RequestHead, tally: &WorkerCounters) {
        if (head.api_key, head.api_version) != (self.api_key, self.api_version) {
            self.close(tally);
            (self.api_key, self.api_version) = (head.api_key, head.api_version);
        }
        self.count += 1;
    }

    /// Adds the run to `tally`.
    #[inline]
    pub fn close(&mut self, tally: &WorkerCounters) {
        if self.count > 0 {
            tally.count(self.api_key, self.api_version, self.count);
            self.count = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_of_every_api_has_a_counter_of_its_own() {
        let tally = WorkerCounters::default();
        let mut expected = Vec::new();
        for api in api::apis() {
            for version in api.min..=api.max {
                let amount = expected.len() as u64 + 1;
                tally.count(api.key, version, amount);
                expected.push((api.key, version, amount));
            }
        }
        let counted: Vec<_> = tally
            .requests()
            .map(|(api, version, count)| (api.key, version, count))
            .collect();
        assert_eq!(counted, expected);
    }

    #[test]
    fn what_cannot_be_is_not_counted() {
        let tally = WorkerCounters::default();
        for (key, version) in [(-1, 0), (i16::MAX, 0), (0, -1), (0, i16::MAX)] {
            tally.count(key, version, 1);
        }
        assert_eq!(tally.requests().count(), 0);
    }

    #[test]
    fn a_run_adds_up_to_what_it_saw() {
        let (tally, mut run) = (WorkerCounters::default(), Run::default());
        for api_key in [0, 0, 0, 1, 0, 3, 3] {
            let head = RequestHead {
                api_key,
                api_version: 4,
                correlation_id: 0,
            };
            run.add(head, &tally);
        }
        run.close(&tally);
        run.close(&tally);
        let counted: Vec<_> = tally.requests().map(|(api, _, count)| (api.key, count)).collect();
        assert_eq!(counted, [(0, 4), (1, 1), (3, 2)]);
    }
}
