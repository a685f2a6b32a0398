//! The operator's signals: SIGTERM and SIGINT end, SIGHUP reloads.

use std::io;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::admin::ReloadAsked;
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

/// Turns signals, and what operators ask for, into orders from now on.
pub(crate) fn listen(
    source: Source,
    mut reloads: mpsc::Receiver<ReloadAsked>,
) -> io::Result<mpsc::Receiver<Order>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let (orders, taken) = mpsc::channel(4);
    tokio::spawn(async move {
        loop {
            let order = tokio::select! {
                _ = terminate.recv() => Some(Order::End),
                _ = interrupt.recv() => Some(Order::End),
                _ = hangup.recv() => reload(&source).ok(),
                Some(asked) = reloads.recv() => {
                    let read = reload(&source);
                    // Whoever asked may have gone; what is asked is done all the same.
                    let _ = asked.send(read.as_ref().map(|_| ()).map_err(Clone::clone));
                    read.ok()
                }
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

/// The order to take the configuration over, or why there is none.
fn reload(source: &Source) -> Result<Order, String> {
    let Some(file) = &source.file else {
        let why = "there is no configuration file to reload; parkade run was given none";
        tracing::warn!("{why}");
        return Err(why.to_owned());
    };
    match load(file, source.target.as_deref()) {
        Ok(settings) => Ok(Order::Reload(Box::new(settings))),
        Err(problems) => {
            let (file, count) = (&problems.file, problems.list.len());
            for Problem { line, key, what } in &problems.list {
                tracing::error!(%file, line, key, "{what}");
            }
            tracing::error!("nothing is reloaded: problems in {file}: {count}");
            Err(problems.to_string())
        }
    }
}
