//! The parking board: a page in the binary, for everybody. What it shows it asks for with a token.

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::admin::access::digest;
use crate::admin::problem::Problem;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// A file of the page.
#[derive(Debug)]
struct File {
    name: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! file {
    ($name:literal, $kind:expr) => {
        File { name: $name, kind: $kind, text: include_str!(concat!("../../../board/", $name)) }
    };
}

/// The page itself.
const PAGE: File = file!("index.html", "text/html; charset=utf-8");

/// What belongs to it.
const FILES: [File; 24] = [
    file!("board.css", "text/css; charset=utf-8"),
    file!("cards.css", "text/css; charset=utf-8"),
    file!("ladder.css", "text/css; charset=utf-8"),
    file!("actions.js", JAVASCRIPT),
    file!("board.js", JAVASCRIPT),
    file!("calls.js", JAVASCRIPT),
    file!("card.js", JAVASCRIPT),
    file!("dialogs.js", JAVASCRIPT),
    file!("elements.js", JAVASCRIPT),
    file!("events.js", JAVASCRIPT),
    file!("filters.js", JAVASCRIPT),
    file!("format.js", JAVASCRIPT),
    file!("keys.js", JAVASCRIPT),
    file!("ladder.js", JAVASCRIPT),
    file!("lately.js", JAVASCRIPT),
    file!("lots.js", JAVASCRIPT),
    file!("menu.js", JAVASCRIPT),
    file!("rungs.js", JAVASCRIPT),
    file!("session.js", JAVASCRIPT),
    file!("speech.js", JAVASCRIPT),
    file!("state.js", JAVASCRIPT),
    file!("wire.js", JAVASCRIPT),
    file!("manifest.webmanifest", "application/manifest+json"),
    file!("icon.svg", "image/svg+xml"),
];

impl File {
    /// The file, or that the browser has it already (RFC 9110 §13.1.2).
    fn answer(&self, asked: &HeaderMap) -> Response {
        let tag = format!("\"{}\"", BASE64_URL_SAFE_NO_PAD.encode(&digest(self.text)[..12]));
        let known = asked.get_all(header::IF_NONE_MATCH).iter().any(|tags| {
            let tags = tags.to_str().unwrap_or_default();
            tags.split(',').any(|known| known.trim().trim_start_matches("W/") == tag)
        });
        let mut response = match known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => ([(header::CONTENT_TYPE, self.kind)], self.text).into_response(),
        };
        let headers = response.headers_mut();
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            headers.insert(header::ETAG, tag);
        }
        // After an upgrade of the program all files are those of one version at once.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

/// The page.
pub(super) async fn page(asked: HeaderMap) -> Response {
    PAGE.answer(&asked)
}

/// A file that belongs to it.
pub(super) async fn file(Path(name): Path<String>, asked: HeaderMap) -> Result<Response, Problem> {
    let found = FILES.iter().find(|file| file.name == name);
    found.map(|file| file.answer(&asked)).ok_or_else(|| {
        let detail = format!("the parking board has no file {name:?}; it is at /");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn every_file_that_the_page_wants_is_there_and_none_that_it_does_not_want() {
        let mut wanted = vec![PAGE.name.to_owned()];
        let named = Regex::new(r#"(?:(?:href|src)="board/|from "\./)([^"]+)""#).unwrap();
        let mut read = 0;
        while let Some(name) = wanted.get(read).cloned() {
            read += 1;
            let file = [PAGE].into_iter().chain(FILES).find(|file| file.name == name);
            let file = file.unwrap_or_else(|| panic!("{name} is wanted and not there"));
            for found in named.captures_iter(file.text) {
                if !wanted.contains(&found[1].to_owned()) {
                    wanted.push(found[1].to_owned());
                }
            }
        }
        for file in FILES {
            assert!(wanted.iter().any(|name| name == file.name), "nobody wants {}", file.name);
        }
    }

    #[test]
    fn the_page_has_nothing_in_it_that_its_own_policy_forbids() {
        for file in [PAGE].into_iter().chain(FILES) {
            let text = file.text;
            for forbidden in
                [" style=\"", " onclick=", "innerHTML", "outerHTML", "insertAdjacentHTML"]
            {
                assert!(!text.contains(forbidden), "{}: {forbidden}", file.name);
            }
            let from_elsewhere = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!from_elsewhere.contains("http://"), "{}", file.name);
            assert!(!from_elsewhere.contains("https://"), "{}", file.name);
        }
    }
}
