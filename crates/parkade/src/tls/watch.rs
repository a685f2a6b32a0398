//! Looks whether a file of TLS has changed, and reads all of them again then. It looks, since links
//! that are moved, as certbot and Kubernetes do, and network file systems are told to nobody.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::tls::set::Tls;
use crate::tls::settings::TlsSettings;

/// How often it looks.
const PAUSE: Duration = Duration::from_secs(5);

/// How often it warns of certificates that expire soon.
const DAILY: Duration = Duration::from_secs(24 * 3600);

/// What a file looks like from outside; none if it is not there.
type Look = Option<(u64, u64, i64, i64)>;

/// Looks after the files from now on. What is read anew is handed to `told`; what cannot be read is
/// said in the log, and what there was stays. With `at_once` it begins by reading.
pub(crate) fn watch(
    settings: TlsSettings,
    at_once: bool,
    told: mpsc::UnboundedSender<Option<Tls>>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let files = settings.files();
        let mut seen = if at_once { None } else { Some(look(&files).await) };
        let mut warned = Instant::now();
        loop {
            let now = look(&files).await;
            if seen.as_ref() != Some(&now) {
                // A pair is not replaced in one moment: what is half done is read once more.
                seen = Some(now);
                let read = settings.clone();
                match spawn_blocking(move || Tls::load(&read)).await {
                    Ok(Ok(tls)) => {
                        if let Some(tls) = &tls {
                            tls.tell();
                            tls.warn();
                        }
                        warned = Instant::now();
                        if told.send(tls).is_err() {
                            return;
                        }
                    }
                    Ok(Err(what)) => tracing::error!(
                        "certificates have changed and are not taken over: {what}; those that \
                         there were stay in use"
                    ),
                    // The program ends.
                    Err(_) => return,
                }
            }
            if warned.elapsed() >= DAILY {
                warned = Instant::now();
                let read = settings.clone();
                if let Ok(Ok(Some(tls))) = spawn_blocking(move || Tls::load(&read)).await {
                    tls.warn();
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

async fn look(files: &[PathBuf]) -> Vec<Look> {
    let files = files.to_vec();
    let looked = spawn_blocking(move || {
        let one = |file: &PathBuf| {
            let found = std::fs::metadata(file).ok()?;
            Some((found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
        };
        files.iter().map(one).collect()
    });
    looked.await.unwrap_or_default()
}
