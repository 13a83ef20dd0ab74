//! What systemd is for a service: it hears what the process says of itself, and holds its sockets.

use std::collections::BTreeMap;
use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use crate::binary::{Binary, program};
use crate::wait::eventually;

/// Longest message that is read.
const MESSAGE: usize = 4096;

/// A service manager with a store for descriptors. The thread that listens ends with the process of the test.
pub struct ServiceManager {
    directory: TempDir,
    heard: Arc<Mutex<Heard>>,
}

/// What processes have sent so far.
#[derive(Debug, Default)]
struct Heard {
    messages: Vec<String>,
    stored: BTreeMap<String, OwnedFd>,
}

impl ServiceManager {
    pub fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        let heard = Arc::<Mutex<Heard>>::default();
        std::thread::spawn({
            let heard = Arc::clone(&heard);
            move || {
                while let Some((message, descriptor)) = receive(&socket) {
                    heard.lock().unwrap().take_in(message, descriptor);
                }
            }
        });
        Self { directory, heard }
    }

    /// Starts kproxy with up to two inherited sockets, each with its name.
    pub fn run(&self, file: &Path, inherited: Vec<(String, OwnedFd)>) -> Binary {
        self.run_with(file, inherited, &[])
    }

    /// Starts kproxy like [`ServiceManager::run`], with these variables in its environment, too.
    pub fn run_with(
        &self,
        file: &Path,
        inherited: Vec<(String, OwnedFd)>,
        environment: &[(&str, &str)],
    ) -> Binary {
        assert!(
            inherited.len() <= 2,
            "they are passed as standard input and output"
        );
        let names: Vec<&str> = inherited.iter().map(|(name, _)| name.as_str()).collect();
        let mut shell = Command::new("sh");
        shell
            .arg("-c")
            // The process that `sh` becomes has the number of `sh`, which is what systemd puts there.
            .arg("LISTEN_PID=$$ exec \"$0\" \"$@\" 3<&0 4<&1 0</dev/null 1>/dev/null")
            .arg(program())
            .env("NOTIFY_SOCKET", self.directory.path().join("notify"))
            .env("LISTEN_FDS", inherited.len().to_string())
            .env("LISTEN_FDNAMES", names.join(":"))
            .envs(environment.iter().copied());
        let mut streams = inherited
            .into_iter()
            .map(|(_, descriptor)| Stdio::from(descriptor));
        shell
            .stdin(streams.next().unwrap_or_else(Stdio::null))
            .stdout(streams.next().unwrap_or_else(Stdio::null));
        Binary::launch(shell, file, None)
    }

    /// Everything that was said, a message per entry, its lines joined by spaces.
    pub fn messages(&self) -> Vec<String> {
        self.heard.lock().unwrap().messages.clone()
    }

    /// Waits for a message behind the first `mark` that contains `text`, and returns how many there were then.
    #[track_caller]
    pub fn expect(&self, mark: usize, text: &str) -> usize {
        let place = || {
            let messages = &self.heard.lock().unwrap().messages;
            let mut behind = messages.iter().skip(mark);
            behind.position(|message| message.contains(text))
        };
        eventually(&format!("{text:?} said to the service manager"), || {
            place().is_some()
        });
        mark + place().unwrap() + 1
    }

    /// Names of the sockets in its store.
    pub fn stored(&self) -> Vec<String> {
        self.heard.lock().unwrap().stored.keys().cloned().collect()
    }

    /// Copies of the sockets in its store, for the next process.
    pub fn store(&self) -> Vec<(String, OwnedFd)> {
        let heard = self.heard.lock().unwrap();
        let copies = heard.stored.iter();
        copies
            .map(|(name, socket)| (name.clone(), socket.try_clone().unwrap()))
            .collect()
    }
}

impl Heard {
    fn take_in(&mut self, message: String, descriptor: Option<OwnedFd>) {
        let name = message
            .split_whitespace()
            .find_map(|line| line.strip_prefix("FDNAME="));
        if let Some(name) = name {
            match descriptor {
                Some(descriptor) => drop(self.stored.insert(name.to_owned(), descriptor)),
                None => drop(self.stored.remove(name)),
            }
        }
        self.messages.push(message);
    }
}

/// The next message, with the descriptor that came with it.
fn receive(socket: &UnixDatagram) -> Option<(String, Option<OwnedFd>)> {
    let mut bytes = [0; MESSAGE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let length = recvmsg(
        socket.as_fd(),
        &mut [IoSliceMut::new(&mut bytes)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )
    .ok()?
    .bytes;
    let descriptor = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    let text = String::from_utf8_lossy(&bytes[..length]);
    Some((text.trim_end().replace('\n', " "), descriptor))
}

/// A copy of a socket that the caller goes on holding, as a socket unit does.
pub fn held(name: &str, socket: &TcpListener) -> (String, OwnedFd) {
    (name.to_owned(), socket.try_clone().unwrap().into())
}

/// Microseconds of the clock that systemd and services agree on.
pub fn monotonic_micros() -> i64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1000
}
