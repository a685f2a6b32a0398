//! The admin door: a Unix socket; a line with an order in JSON, a line with its answer.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use park_core::{Command, Reply};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// No order is longer.
const LONGEST_ORDER: u64 = 64 * 1024;

/// An order, and where its answer goes.
#[derive(Debug)]
pub(crate) struct AdminOrder {
    /// What is ordered.
    pub(crate) command: Command,
    /// Where the answer goes.
    pub(crate) answer: oneshot::Sender<Reply>,
}

/// The open door; its socket is removed with it.
#[derive(Debug)]
pub(crate) struct Door {
    path: PathBuf,
    listener: UnixListener,
}

impl Door {
    /// Opens the door at `path`. A socket that nobody listens on any more is removed first.
    pub(crate) fn open(path: &Path) -> io::Result<Door> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => {
                let why = "another instance is listening there";
                return Err(io::Error::new(io::ErrorKind::AddrInUse, why));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            Err(_) => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        Ok(Door { path: path.to_owned(), listener })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Serves whoever comes, for as long as orders are taken.
    pub(crate) async fn serve(self, orders: mpsc::Sender<AdminOrder>) {
        loop {
            tokio::select! {
                () = orders.closed() => return,
                came = self.listener.accept() => match came {
                    Ok((stream, _)) => {
                        tokio::spawn(converse(stream, orders.clone()));
                    }
                    // No descriptors left: passes.
                    Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                },
            }
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Whoever starts next removes it otherwise.
        let _ = fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, orders: mpsc::Sender<AdminOrder>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read);
    loop {
        let mut line = String::new();
        match (&mut lines).take(LONGEST_ORDER).read_line(&mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let mut answer = match serde_json::from_str(&line) {
            Ok(command) => match ask(command, &orders).await {
                Some(answer) => answer,
                None => return,
            },
            Err(error) => {
                serde_json::json!({ "reply": "error", "why": error.to_string() }).to_string()
            }
        };
        answer.push('\n');
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn ask(command: Command, orders: &mpsc::Sender<AdminOrder>) -> Option<String> {
    let (answer, answered) = oneshot::channel();
    orders.send(AdminOrder { command, answer }).await.ok()?;
    serde_json::to_string(&answered.await.ok()?).ok()
}
