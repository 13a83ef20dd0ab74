use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use super::*;

/// A name server of which some names hang until they are let go.
#[derive(Default)]
struct Server {
    asked: AtomicUsize,
    script: Mutex<HashMap<String, Says>>,
    changed: Condvar,
}

#[derive(Clone)]
enum Says {
    At(&'static str),
    Nothing,
    Unknown,
    Hangs,
}

impl Server {
    fn says(&self, host: &str, says: Says) {
        self.script.lock().unwrap().insert(host.to_owned(), says);
        self.changed.notify_all();
    }

    fn answer(&self, host: &str) -> Result<Vec<SocketAddr>, LookupError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut script = self.script.lock().unwrap();
        loop {
            match script.get(host).cloned().unwrap_or(Says::Hangs) {
                Says::At(ip) => return Ok(vec![SocketAddr::new(ip.parse().unwrap(), 0)]),
                Says::Nothing => return Err(LookupError::Failed("Temporary failure".into())),
                Says::Unknown => return Err(LookupError::Unknown("Name or service not known".into())),
                Says::Hangs => script = self.changed.wait(script).unwrap(),
            }
        }
    }
}

fn resolver() -> (Arc<Server>, Arc<Resolver>) {
    let server = Arc::new(Server::default());
    let asked = Arc::clone(&server);
    let resolver = Resolver::new(Box::new(move |host| asked.answer(host)));
    (server, Arc::new(resolver))
}

/// Longer than anything here takes on a machine that is busy.
const LONG: Duration = Duration::from_secs(30);

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LONG, future).await.expect("in time")
}

#[tokio::test]
async fn everyone_who_wants_a_name_waits_for_one_look_up() {
    let (server, resolver) = resolver();
    let waiting: Vec<_> = (0..500)
        .map(|_| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(async move { resolver.lookup("Hangs.example").await })
        })
        .collect();
    tokio::task::yield_now().await;
    server.says("hangs.example", Says::At("10.0.0.1"));
    for waiting in waiting {
        let found = in_time(waiting).await.unwrap().unwrap();
        assert_eq!(found[0], "10.0.0.1:0".parse().unwrap());
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
}

/// A thread each would be a thousand; and a name that answers would wait until one of them ends.
#[tokio::test]
async fn names_that_hang_leave_threads_to_those_that_are_answered() {
    let (server, resolver) = resolver();
    server.says("good.example", Says::At("10.0.0.1"));
    in_time(resolver.ask("good.example")).await.unwrap();
    let hanging: Vec<_> = (0..1000)
        .map(|index| {
            let resolver = Arc::clone(&resolver);
            tokio::spawn(async move { resolver.lookup(&format!("hangs-{index}.example")).await })
        })
        .collect();
    tokio::task::yield_now().await;
    for _ in 0..10 {
        in_time(resolver.ask("good.example")).await.unwrap();
    }
    assert!(resolver.pool.threads() <= THREADS, "{}", resolver.pool.threads());
    let began = server.asked.load(Ordering::SeqCst);
    assert!(began <= 11 + pool::NOT_QUICK, "{began} look-ups have begun");
    for hanging in hanging {
        hanging.abort();
        assert!(hanging.await.is_err());
    }
    for index in 0..1000 {
        server.says(&format!("hangs-{index}.example"), Says::Nothing);
    }
    // What nobody waits for any more is not looked up.
    server.says("new.example", Says::At("10.0.0.2"));
    in_time(resolver.lookup("new.example")).await.unwrap();
    assert!(server.asked.load(Ordering::SeqCst) < 1000);
}

#[tokio::test]
async fn the_last_answer_stands_in_while_the_name_server_is_away() {
    let (server, resolver) = resolver();
    server.says("a.example", Says::At("10.0.0.1"));
    in_time(resolver.lookup("a.example")).await.unwrap();
    in_time(resolver.lookup("a.example")).await.unwrap();
    assert_eq!(server.asked.load(Ordering::SeqCst), 1, "it is kept for a moment");
    for away in [Says::Nothing, Says::Hangs] {
        server.says("a.example", away);
        resolver.doubt("a.example");
        let found = in_time(resolver.lookup("a.example")).await.unwrap();
        assert_eq!(found[0], "10.0.0.1:0".parse().unwrap());
    }
    let asking = resolver.ask("a.example");
    server.says("a.example", Says::Unknown);
    assert!(matches!(in_time(asking).await, Err(LookupError::Unknown(_))));
    resolver.doubt("a.example");
    assert!(in_time(resolver.lookup("a.example")).await.is_err(), "it is gone");
}

#[tokio::test]
async fn literals_are_not_looked_up() {
    let (server, resolver) = resolver();
    for host in ["127.0.0.1", "::1"] {
        let found = resolver.lookup(host).await.unwrap();
        assert_eq!(found[0].ip(), host.parse::<IpAddr>().unwrap());
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn only_a_name_server_that_says_so_makes_a_name_unknown() {
    let words = |words: &str| {
        said(&io::Error::other(format!(
            "failed to lookup address information: {words}"
        )))
    };
    assert!(matches!(
        words("Name or service not known"),
        LookupError::Unknown(_)
    ));
    assert!(matches!(
        words("Temporary failure in name resolution"),
        LookupError::Failed(_)
    ));
}
