//! The other end of the Unix socket: how `parkade parked` and its like ask the running program.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::admin::problem::Problem;

/// Why a running instance could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CannotAsk {
    /// Nobody listens.
    #[error("no running parkade at {}: {error}", places(.tried))]
    NotRunning {
        /// Where it was looked for.
        tried: Vec<PathBuf>,
        /// What the system said last.
        error: io::Error,
    },
    /// The conversation broke off.
    #[error("the running parkade did not answer: {0}")]
    NoAnswer(#[from] io::Error),
    /// It has refused.
    #[error("{0}")]
    Refused(String),
    /// The answer was not understood.
    #[error("the running parkade answered something else: {0}")]
    Strange(String),
}

fn places(tried: &[PathBuf]) -> String {
    let all: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
    all.join(" or ")
}

/// An instance that is alive answers sooner.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody who asks.
#[derive(Debug)]
pub(crate) struct Asker {
    sockets: Vec<PathBuf>,
    runtime: tokio::runtime::Runtime,
}

impl Asker {
    /// Asks whoever listens at the first of these sockets at which somebody does.
    ///
    /// # Errors
    /// If the system has nothing left to ask with.
    pub(crate) fn at(sockets: &[PathBuf]) -> Result<Asker, CannotAsk> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Asker { sockets: sockets.to_vec(), runtime })
    }

    /// What is there, as it was sent: JSON.
    ///
    /// # Errors
    /// If nobody answers, or it is refused.
    pub(crate) fn read(&self, path: &str) -> Result<Bytes, CannotAsk> {
        self.ask(Method::GET, path, None)
    }

    /// What is there.
    ///
    /// # Errors
    /// If nobody answers, or it is refused.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CannotAsk> {
        understood(&self.read(path)?)
    }

    /// Has something done; what was answered, as it was sent.
    ///
    /// # Errors
    /// If nobody answers, or it is refused.
    pub(crate) fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Bytes, CannotAsk> {
        self.runtime.block_on(async {
            let whole = async {
                let response = self.send(method, path, body).await?;
                let status = response.status();
                let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
                if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
            };
            timeout(PATIENCE, whole).await.unwrap_or_else(|_| {
                Err(io::Error::new(io::ErrorKind::TimedOut, "it takes too long").into())
            })
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Response<Incoming>, CannotAsk> {
        let stream = self.connect().await?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, "parkade");
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request
            .body(Full::new(body))
            .map_err(|error| CannotAsk::Strange(format!("{path:?} cannot be asked: {error}")))?;
        sender.send_request(request).await.map_err(broken)
    }

    async fn connect(&self) -> Result<UnixStream, CannotAsk> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no such socket");
        for path in &self.sockets {
            match UnixStream::connect(path).await {
                Ok(stream) => return Ok(stream),
                // A refusal says more than a place that is empty.
                Err(error) if error.kind() != io::ErrorKind::NotFound => last = error,
                Err(_) => {}
            }
        }
        Err(CannotAsk::NotRunning { tried: self.sockets.clone(), error: last })
    }
}

fn broken(error: hyper::Error) -> CannotAsk {
    CannotAsk::NoAnswer(io::Error::other(error))
}

fn refused(status: StatusCode, body: &[u8]) -> CannotAsk {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => CannotAsk::Refused(problem.detail),
        Err(_) => CannotAsk::Strange(format!("{status}: {}", String::from_utf8_lossy(body))),
    }
}

/// A JSON body.
///
/// # Errors
/// If it is something else.
pub(crate) fn understood<T: DeserializeOwned>(body: &[u8]) -> Result<T, CannotAsk> {
    serde_json::from_slice(body)
        .map_err(|error| CannotAsk::Strange(format!("{error}: {}", String::from_utf8_lossy(body))))
}
