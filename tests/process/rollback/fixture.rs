//! A proxy in this process whose binds can be made to fail.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::{Arc, Mutex};

use kproxy::app::{Options, Proxy};
use kproxy::control::{ReloadReport, ReloadRequest, ReloadSource, Requester};
use kproxy::endpoint::{Bind, BindAddr, SystemBind};
use kproxy::model::ProxyModel;
use kproxy::reload::Trigger;

use testkit::proxy::TestProxy;
use testkit::wait::eventually;

/// Binds like the system, and remembers what it bound.
#[derive(Default)]
pub(crate) struct Binder {
    /// How often each address still fails.
    failures: Mutex<HashMap<BindAddr, usize>>,
    /// This many binds succeed; the next one fails. Absent: all do.
    left: Mutex<Option<usize>>,
    bound: Mutex<Vec<SocketAddr>>,
}

impl Binder {
    /// The next `times` binds of this address fail.
    pub(crate) fn fail(&self, address: BindAddr, times: usize) {
        self.failures.lock().unwrap().insert(address, times);
    }

    /// Lets the next `count` binds succeed and the one after them fail, once.
    pub(crate) fn fail_after(&self, count: usize) {
        *self.left.lock().unwrap() = Some(count);
    }

    /// Nothing fails any more. Whether everything that should fail has.
    pub(crate) fn heal(&self) -> bool {
        let failures: usize = self
            .failures
            .lock()
            .unwrap()
            .drain()
            .map(|(_, times)| times)
            .sum();
        self.left.lock().unwrap().take().is_none() && failures == 0
    }

    /// What was bound since this was asked last.
    pub(crate) fn bound(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.bound.lock().unwrap())
    }

    fn fails(&self, address: BindAddr) -> bool {
        let mut failures = self.failures.lock().unwrap();
        if let Some(times) = failures.get_mut(&address).filter(|times| **times > 0) {
            *times -= 1;
            return true;
        }
        let mut left = self.left.lock().unwrap();
        match *left {
            Some(0) => {
                *left = None;
                true
            }
            Some(count) => {
                *left = Some(count - 1);
                false
            }
            None => false,
        }
    }
}

impl Bind for Binder {
    fn bind(&self, address: BindAddr) -> io::Result<TcpListener> {
        if self.fails(address) {
            return Err(io::Error::other("not this one"));
        }
        let listener = SystemBind.bind(address)?;
        self.bound.lock().unwrap().push(listener.local_addr()?);
        Ok(listener)
    }
}

/// A proxy whose binds can fail.
pub(crate) struct Fixture {
    pub(crate) running: TestProxy,
    pub(crate) binder: Arc<Binder>,
}

impl Fixture {
    #[track_caller]
    pub(crate) fn start(model: ProxyModel) -> Self {
        Self::with(model, Options::default())
    }

    /// With a file that it follows.
    #[track_caller]
    pub(crate) fn of_file(file: &Path) -> Self {
        let (model, sources) = kproxy::model::load_all(file).for_start().unwrap();
        let source = Some((file.to_owned(), sources));
        let options = Options {
            source,
            ..Options::default()
        };
        Self::with(model, options)
    }

    fn with(model: ProxyModel, options: Options) -> Self {
        let binder = Arc::<Binder>::default();
        let options = Options {
            binder: Arc::clone(&binder) as Arc<dyn Bind>,
            ..options
        };
        let proxy = Proxy::start_with(model, options).unwrap();
        binder.bound();
        Self {
            running: TestProxy { proxy },
            binder,
        }
    }

    /// The status without what a rejected reload may change: the time, what came of it, and that the file says
    /// something else.
    pub(crate) fn status(&self) -> serde_json::Value {
        let mut status = serde_json::to_value(self.running.proxy.status().unwrap()).unwrap();
        let top = status.as_object_mut().unwrap();
        top.remove("uptime_seconds").unwrap();
        let config = top["config"].as_object_mut().unwrap();
        config.remove("last_reload").unwrap();
        config.remove("in_sync").unwrap();
        // Noted when a session has nothing more to do, which is after its client has the answer.
        for cluster in status["clusters"].as_array_mut().unwrap() {
            cluster.as_object_mut().unwrap().remove("in_flight").unwrap();
            // When brokers last answered.
            cluster.as_object_mut().unwrap().remove("upstream").unwrap();
        }
        status
    }

    /// Once the sessions of clients that are gone have ended.
    #[track_caller]
    pub(crate) fn expect_status(&self, before: &serde_json::Value) {
        eventually("the status is what it was", || self.status() == *before);
    }

    pub(crate) fn reload(&self, model: ProxyModel) -> ReloadReport {
        self.running.proxy.reload(model).unwrap()
    }

    /// Reads the file.
    pub(crate) fn reload_file(&self, force: bool) -> ReloadReport {
        let request = ReloadRequest {
            trigger: Trigger::Control,
            by: Requester::Program,
            force,
            source: ReloadSource::Configured,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime
            .block_on(self.running.proxy.handle().reload(request))
            .unwrap()
    }
}
