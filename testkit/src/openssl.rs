//! `openssl s_client`: a TLS client that is no library of ours, and says what went wrong.

use std::{
    io::{Read, Write},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// It is killed when it has not come to an end in this time.
const TIMEOUT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// `ApiVersions` v0 without a client id. The correlation id is text, so that its answer is found in the output.
pub const REQUEST: &[u8] = b"\0\0\0\x0a\0\x12\0\0KPXY\xff\xff";
pub const ANSWER: &[u8] = b"KPXY";

/// `Metadata` v1 of all topics. A client that has only asked for `ApiVersions` is not drained yet.
const METADATA: &[u8] = b"\0\0\0\x0e\0\x03\0\x01KPXY\xff\xff\xff\xff\xff\xff";

/// A connection that is to be made.
#[derive(Debug)]
pub struct SClient {
    command: Command,
}

impl SClient {
    /// To a port on 127.0.0.1, without SNI.
    pub fn to(port: u16) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]);
        Self { command }.args(["-noservername"])
    }

    /// Connects with this name as SNI.
    pub fn named(port: u16, name: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &format!("127.0.0.1:{port}")]);
        Self { command }.args(["-servername", name])
    }

    /// Options of `s_client`: `-tls1_2`, `-cipher …`, `-ciphersuites …`, `-verify_hostname …`.
    pub fn args<S: AsRef<str>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        for argument in arguments {
            self.command.arg(argument.as_ref());
        }
        self
    }

    /// Trusts these authorities and nobody else, and goes no further with a server they do not vouch for.
    pub fn trust(mut self, file: &Path) -> Self {
        self.command
            .args(["-no-CApath", "-no-CAstore", "-verify_return_error"]);
        self.command.arg("-CAfile").arg(file);
        self
    }

    /// Presents this certificate, with the chain behind it, when it is asked for one.
    pub fn identity(mut self, files: &super::certificates::Files) -> Self {
        self.command.arg("-cert").arg(&files.certificate);
        self.command.arg("-cert_chain").arg(&files.certificate);
        self.command.arg("-key").arg(&files.key);
        self
    }

    /// Keeps the session in this file, for [`SClient::resume`].
    pub fn keep(mut self, session: &Path) -> Self {
        self.command.arg("-sess_out").arg(session);
        self
    }

    /// Offers to resume the session in this file.
    pub fn resume(mut self, session: &Path) -> Self {
        self.command.arg("-sess_in").arg(session);
        self
    }

    /// Connects, waits until a request for Metadata was answered, and keeps the connection.
    #[track_caller]
    pub fn hold(mut self) -> Held {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Read until the client ends, or it would stall when the pipe is full; its thread ends with it.
        let (stdout, _reader) = collect(child.stdout.take().unwrap());
        stdin.write_all(METADATA).unwrap();
        assert!(wait(&mut child, &stdout), "not served");
        Held {
            child: Mutex::new(child),
            _stdin: stdin,
        }
    }

    /// Connects, sends a Kafka request, and ends when it was answered or the connection was closed.
    #[track_caller]
    pub fn run(mut self) -> Handshake {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        // Its end ends the client: it stays open until there is an answer.
        let mut stdin = child.stdin.take().unwrap();
        let (stdout, out) = collect(child.stdout.take().unwrap());
        let (stderr, err) = collect(child.stderr.take().unwrap());
        // A client that has failed already reads nothing; what it says tells why.
        let sent = stdin.write_all(REQUEST).is_ok();
        let served = sent && wait(&mut child, &stdout);
        drop(stdin);
        end(&mut child);
        out.join().unwrap();
        err.join().unwrap();
        let text = |bytes: Arc<Mutex<Vec<u8>>>| String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned();
        Handshake {
            served,
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }
}

/// A connection that is held.
#[derive(Debug)]
pub struct Held {
    child: Mutex<Child>,
    /// Its end would end the client.
    _stdin: ChildStdin,
}

impl Held {
    /// Whether the server has not closed it.
    pub fn is_open(&self) -> bool {
        self.child.lock().unwrap().try_wait().unwrap().is_none()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap();
        // It may have ended by itself.
        drop(child.kill());
        drop(child.wait());
    }
}

/// Reads a pipe to its end.
fn collect(mut pipe: impl Read + Send + 'static) -> (Arc<Mutex<Vec<u8>>>, JoinHandle<()>) {
    let bytes = Arc::<Mutex<Vec<u8>>>::default();
    let sink = Arc::clone(&bytes);
    let reader = thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(len @ 1..) = pipe.read(&mut buffer) {
            sink.lock().unwrap().extend_from_slice(&buffer[..len]);
        }
    });
    (bytes, reader)
}

/// Whether the answer came before the client ended.
#[track_caller]
fn wait(child: &mut Child, stdout: &Mutex<Vec<u8>>) -> bool {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let answered = stdout
            .lock()
            .unwrap()
            .windows(ANSWER.len())
            .any(|bytes| bytes == ANSWER);
        if answered || child.try_wait().unwrap().is_some() {
            return answered;
        }
        if Instant::now() > deadline {
            end(child);
            let said = stdout.lock().unwrap();
            panic!("neither answered nor closed: {}", String::from_utf8_lossy(&said));
        }
        thread::sleep(POLL);
    }
}

/// Gives it a moment to end by itself, which closes the connection properly.
fn end(child: &mut Child) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            return;
        }
        thread::sleep(POLL);
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Handshake {
    /// Whether a Kafka request was answered. Under TLS 1.3 a server refuses a client's certificate only when the
    /// client believes the handshake done.
    pub served: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Handshake {
    /// Whether the server's certificate was verified.
    pub fn verified(&self) -> bool {
        self.stdout.contains("Verify return code: 0 (ok)") || self.stdout.contains("Verification: OK")
    }

    /// The name of the alert that the server sent, as OpenSSL has it: `unrecognized name`, `handshake failure`.
    pub fn alert(&self) -> Option<&str> {
        let line = self.stderr.lines().find(|line| line.contains("alert"))?;
        // error:0A000458:SSL routines:ssl3_read_bytes:tlsv1 unrecognized name:…:SSL alert number 112
        let reason = line.split(':').nth(5)?;
        let known = [
            "tlsv1 alert ",
            "tlsv13 alert ",
            "sslv3 alert ",
            "tlsv1 ",
            "tlsv13 ",
        ];
        Some(
            known
                .iter()
                .find_map(|prefix| reason.strip_prefix(prefix))
                .unwrap_or(reason),
        )
    }

    /// Whether a session was resumed.
    pub fn resumed(&self) -> bool {
        self.stdout.contains("Reused, ")
    }

    /// `TLSv1.3` or `TLSv1.2`, if the handshake got that far.
    pub fn protocol(&self) -> Option<&str> {
        self.negotiated().map(|(protocol, _)| protocol)
    }

    /// The cipher suite as OpenSSL names it.
    pub fn cipher(&self) -> Option<&str> {
        self.negotiated().map(|(_, cipher)| cipher)
    }

    /// `New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384`
    fn negotiated(&self) -> Option<(&str, &str)> {
        let lines = self.stdout.lines();
        let mut found = lines.filter_map(|line| line.split_once(", Cipher is "));
        let (before, cipher) = found.next()?;
        let (_, protocol) = before.split_once(", ")?;
        (cipher != "(NONE)").then_some((protocol, cipher))
    }
}

/// Rewrites a key with `openssl pkey` and these options: `-traditional` makes PKCS#1 or SEC1 of it, `-aes256 -passout
/// pass:…` encrypts it.
#[track_caller]
pub fn rewrite_key(key: &Path, to: &Path, options: &[&str]) {
    let output = Command::new("openssl")
        .args(["pkey", "-in"])
        .arg(key)
        .arg("-out")
        .arg(to)
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
}
