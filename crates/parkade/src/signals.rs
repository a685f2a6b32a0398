//! The operator's signals: SIGTERM and SIGINT end, SIGHUP reloads.

use std::io;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::{Problem, load};
use crate::shell::Order;

/// Where settings come from when they are to be read again.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The file; none if there is none to read again.
    pub(crate) file: Option<PathBuf>,
    /// The PBX that was named on the command line.
    pub(crate) target: Option<String>,
}

/// Turns signals into orders from now on.
pub(crate) fn listen(source: Source) -> io::Result<mpsc::Receiver<Order>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (orders, taken) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let order = tokio::select! {
                _ = terminate.recv() => Some(Order::End),
                _ = interrupt.recv() => Some(Order::End),
                _ = hangup.recv() => reload(&source),
            };
            if let Some(order) = order
                && orders.send(order).await.is_err()
            {
                return;
            }
        }
    });
    Ok(taken)
}

fn reload(source: &Source) -> Option<Order> {
    let Some(file) = &source.file else {
        tracing::warn!("there is no configuration file to reload");
        return None;
    };
    match load(file, source.target.as_deref()) {
        Ok(settings) => Some(Order::Reload(Box::new(settings))),
        Err(problems) => {
            let (file, count) = (&problems.file, problems.list.len());
            for Problem { line, key, what } in &problems.list {
                tracing::error!(%file, line, key, "{what}");
            }
            tracing::error!("nothing is reloaded: problems in {file}: {count}");
            None
        }
    }
}
