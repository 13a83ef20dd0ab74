//! A broker whose answers the test hands out one by one.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use super::broker::{Broker, Connection};
use super::frames;
use super::wait::eventually;

/// A broker that takes every request in and answers only when told, one per message.
pub struct ManualBroker {
    pub broker: Broker,
    pub answer: mpsc::Sender<()>,
    pub received: Arc<Mutex<Vec<i32>>>,
}

impl ManualBroker {
    pub fn start(body_len: usize) -> Self {
        let (answer, told) = mpsc::channel::<()>();
        let told = Mutex::new(told);
        let received = Arc::<Mutex<Vec<i32>>>::default();
        let seen = Arc::clone(&received);
        let broker = Broker::start(move |mut connection: Connection| {
            let mut writer = Connection {
                stream: Arc::clone(&connection.stream),
                index: connection.index,
            };
            let (asked, waiting) = mpsc::channel();
            let seen = Arc::clone(&seen);
            let reader = std::thread::spawn(move || {
                while let Some(request) = connection.request() {
                    seen.lock().unwrap().push(request.correlation_id);
                    asked.send(request.correlation_id).unwrap();
                }
            });
            let told = told.lock().unwrap();
            while told.recv().is_ok() {
                let Ok(correlation_id) = waiting.recv() else { break };
                let body = frames::noise(correlation_id.unsigned_abs().into(), body_len);
                writer.send(&frames::raw_response(correlation_id, &body));
            }
            writer.fin();
            reader.join().unwrap();
        });
        Self {
            broker,
            answer,
            received,
        }
    }

    pub fn expect_received(&self, count: usize) {
        eventually(&format!("{count} requests at the broker"), || {
            self.received.lock().unwrap().len() == count
        });
    }
}
