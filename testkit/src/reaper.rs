//! Ends a test's processes also where nothing gets dropped: after a killed test run, or for a `static`.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Mutex,
};

/// The last line read is the list of processes to end when the pipe closes. The directory goes last: a process
/// that is being killed may still write into it.
const SCRIPT: &str = r#"
pids=
while IFS= read -r line; do pids=$line; done
for pid in $pids; do kill -9 "$pid" 2>/dev/null; done
sleep 0.3
rm -rf -- "$1"
"#;

/// A shell that waits for this process to go and then ends what is left of its children.
#[derive(Debug)]
pub struct Reaper {
    shell: Child,
    pipe: Mutex<Option<ChildStdin>>,
}

impl Reaper {
    /// Watches over `directory`, which is removed at the end.
    pub fn over(directory: &Path) -> std::io::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "reaper"])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // Ctrl-C in a terminal goes to the whole group: it must not end the one who cleans up.
            .process_group(0)
            .spawn()?;
        let pipe = Mutex::new(shell.stdin.take());
        Ok(Self { shell, pipe })
    }

    /// Replaces the list of processes to end.
    pub fn watch(&self, pids: impl IntoIterator<Item = u32>) {
        let line: Vec<String> = pids.into_iter().map(|pid| pid.to_string()).collect();
        if let Some(pipe) = self.pipe.lock().expect("no panic under the lock").as_mut() {
            writeln!(pipe, "{}", line.join(" ")).expect("the reaper lives as long as its pipe");
        }
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.watch([]);
        if let Ok(mut pipe) = self.pipe.lock() {
            pipe.take();
        }
        if let Err(error) = self.shell.wait() {
            eprintln!("reaper: {error}");
        }
    }
}
