//! Bodies of notices, rendered from the template that fits the phone's `User-Agent`.

use bytes::Bytes;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior};
use regex::Regex;

use crate::notices::body::Body;
use crate::notices::call_info::CALLPARK_INFO;
use crate::notices::event::ParkEvent;
use crate::notices::notice::{NoticeCall, ParkNotice};
use crate::notices::number::is_number_to_dial;
use crate::notices::template::{BadTemplate, Template};
use crate::notices::xml::xml_text;

/// Name, content type and text of the templates that need not be configured. The first is used for
/// phones that no configured template fits.
const BUILT_IN: [(&str, &str, &str); 2] = [
    ("broadworks", CALLPARK_INFO, include_str!("templates/broadworks.xml")),
    ("text", "text/plain", include_str!("templates/text.txt")),
];

/// More than any notice needs; stops a template that loops.
const FUEL: u64 = 1_000_000;

/// The templates of all phones.
#[derive(Debug)]
pub struct Templates {
    environment: Environment<'static>,
    choices: Vec<Choice>,
}

/// A template for some phones.
#[derive(Debug)]
struct Choice {
    user_agent: Regex,
    content_type: String,
    name: String,
}

impl Templates {
    /// Takes the operator's templates, in order of preference, after trying each.
    ///
    /// # Errors
    /// Every template that cannot be read, or that fails on one of the notices it is tried on.
    pub fn new(templates: &[Template]) -> Result<Templates, Vec<BadTemplate>> {
        let mut all = Templates { environment: environment(), choices: Vec::new() };
        let mut bad = Vec::new();
        for (index, template) in templates.iter().enumerate() {
            if let Err(error) = all.add(index, template) {
                bad.push(error);
            }
        }
        if bad.is_empty() { Ok(all) } else { Err(bad) }
    }

    /// Whether every template can be read and rendered.
    ///
    /// # Errors
    /// As [`Templates::new`].
    pub fn check(templates: &[Template]) -> Result<(), Vec<BadTemplate>> {
        Templates::new(templates).map(drop)
    }

    /// The names of the templates that need not be written.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, ..)| *name)
    }

    /// The body of `notice` for a phone of that `User-Agent`: by the first of the operator's templates
    /// that fits, else by the built-in one of the name that the phone's [`Profile`](crate::Profile) has.
    /// A template that fails on this notice gives way to `broadworks`: the phone is told in any case.
    pub fn render(&self, user_agent: Option<&str>, built_in: &str, notice: &ParkNotice) -> Body {
        let user_agent = user_agent.unwrap_or_default();
        let chosen = self.choices.iter().find(|choice| choice.user_agent.is_match(user_agent));
        let own = BUILT_IN.iter().find(|(name, ..)| *name == built_in).unwrap_or(&BUILT_IN[0]);
        let (name, content_type) =
            chosen.map_or((own.0, own.1), |c| (c.name.as_str(), c.content_type.as_str()));
        match self.text(name, notice) {
            Ok(text) => body(content_type, &text),
            Err(_) => self.callpark_info(notice),
        }
    }

    /// The body of `call-info`: the calls parked for an extension, first in first; none of them is an
    /// empty `callpark`, which puts the phone's light out.
    pub fn callpark_info(&self, notice: &ParkNotice) -> Body {
        body(BUILT_IN[0].1, &self.text(BUILT_IN[0].0, notice).unwrap_or_default())
    }

    fn text(&self, name: &str, notice: &ParkNotice) -> Result<String, minijinja::Error> {
        self.environment.get_template(name)?.render(Value::from(Serde(notice)))
    }

    fn add(&mut self, index: usize, template: &Template) -> Result<(), BadTemplate> {
        let bad = |error: &minijinja::Error| bad_template(index, error);
        let built_in = BUILT_IN.iter().find(|(name, ..)| *name == template.template.trim());
        let content_type = match (template.content_type.trim(), built_in) {
            ("", Some((_, own, _))) => own,
            ("", None) => "text/plain",
            (given, _) => given,
        };
        // What is escaped, and how, hangs on the end of the name.
        let name = match built_in {
            Some((name, ..)) => (*name).to_owned(),
            None => format!("template {index}{}", escaping_of(content_type)),
        };
        if built_in.is_none() {
            self.environment
                .add_template_owned(name.clone(), template.template.clone())
                .map_err(|error| bad(&error))?;
        }
        for notice in trials() {
            self.text(&name, &notice).map_err(|error| bad(&error))?;
        }
        self.choices.push(Choice {
            user_agent: template.user_agent.clone(),
            content_type: content_type.to_owned(),
            name,
        });
        Ok(())
    }
}

impl Default for Templates {
    /// The built-in template for every phone.
    fn default() -> Templates {
        Templates { environment: environment(), choices: Vec::new() }
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "json")) => AutoEscape::Json,
        Some((_, "text")) => AutoEscape::None,
        _ if name == "text" => AutoEscape::None,
        _ => AutoEscape::Custom("xml".into()),
    });
    environment.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::Custom(_) if !value.is_safe() => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            out.write_str(&xml_text(&text)).map_err(Into::into)
        }
        AutoEscape::Custom(_) | AutoEscape::None => {
            // Names come from strangers: none may add a line of its own.
            let text = value.to_string();
            out.write_str(&text.replace(|c: char| c.is_control(), " ")).map_err(Into::into)
        }
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_test("number_to_dial", |user: &str| is_number_to_dial(user));
    for (name, _, text) in BUILT_IN {
        // A built-in template that cannot be read would be caught by this crate's tests.
        let _ = environment.add_template(name, text);
    }
    environment
}

fn escaping_of(content_type: &str) -> &'static str {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence.ends_with("xml") || essence == "text/html" {
        ".xml"
    } else if essence.ends_with("json") {
        ".json"
    } else {
        ".text"
    }
}

/// Lines end in CRLF in whatever system the template was written.
fn body(content_type: &str, text: &str) -> Body {
    let mut bytes = String::with_capacity(text.len() + 32);
    for line in text.lines() {
        bytes.push_str(line);
        bytes.push_str("\r\n");
    }
    Body { content_type: content_type.to_owned(), bytes: Bytes::from(bytes) }
}

fn bad_template(index: usize, error: &minijinja::Error) -> BadTemplate {
    let why = match (error.kind(), error.detail()) {
        (ErrorKind::OutOfFuel, _) => "runs too long".to_owned(),
        (ErrorKind::UndefinedError, None) => "names a field that a notice does not have".to_owned(),
        (kind, Some(detail)) => format!("{kind}: {detail}"),
        (kind, None) => kind.to_string(),
    };
    BadTemplate { index, line: error.line(), why }
}

/// The notices that a template must be able to render: none, one and two calls; with and without
/// names, group and event.
fn trials() -> [ParkNotice; 3] {
    let call = |name: Option<&str>| NoticeCall {
        parkee_name: name.map(str::to_owned),
        parkee_uri: "sip:+33176000001@pbx.example".into(),
        parkee_user: "+33176000001".into(),
        parker_name: name.map(str::to_owned),
        parker_uri: "sip:103@pbx.example".into(),
        parker_user: "103".into(),
        parked_for_s: 7,
    };
    let notice = |group: Option<&str>, event, by: Option<&str>, calls| ParkNotice {
        slot: "105".into(),
        lot: "office".into(),
        retrieve: "*88105".into(),
        domain: "pbx.example".into(),
        group: group.map(str::to_owned),
        event,
        by: by.map(str::to_owned),
        calls,
    };
    [
        notice(None, Some(ParkEvent::Retrieved), Some("104"), Vec::new()),
        notice(None, None, None, vec![call(None)]),
        notice(
            Some("sales"),
            Some(ParkEvent::Abandoned),
            None,
            vec![call(Some("A & \"B\"")), call(None)],
        ),
    ]
}
