//! The text as a tree with places: hands out the value of a key in the type that is wanted, and
//! notes every doubt (wrong type, wrong value, unknown key) with its line.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::config::problem::Problem;

/// More errors of the parser than these are echoes of the first.
const MOST_UNREADABLE: usize = 3;

/// All doubts about one text, while it is read.
#[derive(Debug)]
pub(super) struct Doubts<'t> {
    text: &'t str,
    noted: RefCell<Vec<(usize, Problem)>>,
    known: RefCell<BTreeSet<String>>,
}

impl<'t> Doubts<'t> {
    /// No doubt yet about this text.
    pub(super) fn about(text: &'t str) -> Doubts<'t> {
        Doubts { text, noted: RefCell::default(), known: RefCell::default() }
    }

    /// The line of a place, from 1.
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        1 + before.iter().filter(|b| **b == b'\n').count()
    }

    /// Notes what the parser could not read. One such error makes others and hides what follows, so
    /// the first of each line are noted, few of them, and nothing else from there on.
    pub(super) fn note_unreadable(&self, errors: &[toml::de::Error]) {
        let place = |e: &toml::de::Error| e.span().map_or(0, |span| span.start);
        let mut lines: Vec<(usize, &toml::de::Error)> =
            errors.iter().map(|error| (self.line(place(error)), error)).collect();
        let Some(first) = lines.iter().map(|(line, _)| *line).min() else { return };
        self.noted.borrow_mut().retain(|(_, p)| p.line.is_some_and(|line| line < first));
        lines.sort_by_key(|(line, error)| (*line, place(error)));
        lines.dedup_by_key(|(line, _)| *line);
        for (_, error) in lines.into_iter().take(MOST_UNREADABLE) {
            self.note(place(error)..place(error), "", error.message());
        }
    }

    /// Notes a problem at a place in the text.
    pub(super) fn note(&self, span: Range<usize>, key: &str, what: impl Into<String>) {
        let line = Some(self.line(span.start));
        let problem = Problem { line, key: key.to_owned(), what: what.into() };
        self.noted.borrow_mut().push((span.start, problem));
    }

    /// Notes a problem that has no place, because something is missing.
    pub(super) fn note_missing(&self, key: &str, what: impl Into<String>) {
        let problem = Problem { line: None, key: key.to_owned(), what: what.into() };
        self.noted.borrow_mut().push((usize::MAX, problem));
    }

    /// All problems by place, and all keys that were asked for.
    pub(super) fn close(self) -> (Vec<Problem>, BTreeSet<String>) {
        let mut noted = self.noted.into_inner();
        noted.sort_by_key(|(at, _)| *at);
        (noted.into_iter().map(|(_, problem)| problem).collect(), self.known.into_inner())
    }
}

/// A value that was read, and where.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    /// The value.
    pub(super) value: T,
    /// Its place in the text.
    pub(super) span: Range<usize>,
}

/// One table of the text. Every key must be asked for once; [`Table::close`] notes the others.
#[derive(Debug)]
pub(super) struct Table<'d, 't> {
    doubts: &'d Doubts<'t>,
    entries: Option<&'d DeTable<'t>>,
    span: Range<usize>,
    path: String,
    asked: RefCell<Vec<&'static str>>,
}

impl<'d, 't> Table<'d, 't> {
    /// The whole text.
    pub(super) fn root(doubts: &'d Doubts<'t>, tree: &'d DeTable<'t>) -> Table<'d, 't> {
        Table::new(doubts, Some(tree), 0..0, String::new())
    }

    fn new(
        doubts: &'d Doubts<'t>,
        entries: Option<&'d DeTable<'t>>,
        span: Range<usize>,
        path: String,
    ) -> Table<'d, 't> {
        Table { doubts, entries, span, path, asked: RefCell::default() }
    }

    /// The name of a key with the tables that it is in.
    pub(super) fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Where the table begins.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Notes a problem with this key, at its value if it has one, else at the table.
    pub(super) fn doubt(&self, key: &str, what: impl Into<String>) {
        let span = self.get(key).map_or_else(|| self.span(), |v| v.span());
        self.doubts.note(span, &self.name(key), what);
    }

    /// Notes a problem with this key at a place.
    pub(super) fn doubt_at(&self, span: Range<usize>, key: &str, what: impl Into<String>) {
        self.doubts.note(span, &self.name(key), what);
    }

    /// Notes that this key is missing: at the key or its table if there is one, else at no line.
    pub(super) fn doubt_missing_or_here(&self, key: &str, what: impl Into<String>) {
        match self.entries {
            Some(_) => self.doubt(key, what),
            None => self.doubts.note_missing(&self.name(key), what),
        }
    }

    fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'t>>> {
        self.entries?.get(key)
    }

    fn ask(&self, key: &'static str) -> Option<&'d Spanned<DeValue<'t>>> {
        self.asked.borrow_mut().push(key);
        self.doubts.known.borrow_mut().insert(self.name(key));
        self.get(key)
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'t>>, wanted: &str) {
        let shown = self.doubts.text.get(value.span()).unwrap_or_default();
        let first = shown.lines().next().unwrap_or_default();
        let what = format!("{first} is {}; write {wanted}", kind(value.get_ref()));
        self.doubts.note(value.span(), &self.name(key), what);
    }

    /// A text, if the key is there.
    pub(super) fn text(&self, key: &'static str) -> Option<Placed<String>> {
        let value = self.ask(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(Placed { value: text.to_owned(), span: value.span() }),
            None => {
                self.wrong_type(key, value, "a text in quotes");
                None
            }
        }
    }

    /// A list of texts, if the key is there. Entries of another type are noted and left out.
    pub(super) fn texts(&self, key: &'static str) -> Option<Vec<Placed<String>>> {
        let value = self.ask(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list: [\"…\", \"…\"]");
            return None;
        };
        let mut list = Vec::new();
        for entry in array.iter() {
            match entry.get_ref().as_str() {
                Some(text) => list.push(Placed { value: text.to_owned(), span: entry.span() }),
                None => self.wrong_type(key, entry, "a text in quotes"),
            }
        }
        Some(list)
    }

    /// A text or a list of texts; the flag tells whether it was a list.
    pub(super) fn text_or_texts(&self, key: &'static str) -> Option<(Vec<Placed<String>>, bool)> {
        match self.get(key)?.get_ref() {
            DeValue::Array(_) => Some((self.texts(key)?, true)),
            _ => Some((vec![self.text(key)?], false)),
        }
    }

    /// A text that `read` understands; `read`'s error says what is allowed.
    pub(super) fn parsed<T>(
        &self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(key)?;
        read(&text.value).map_err(|what| self.doubt_at(text.span, key, what)).ok()
    }

    /// A list of texts that `read` understands.
    pub(super) fn all_parsed<T>(
        &self,
        key: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<Placed<T>>> {
        let texts = self.texts(key)?;
        let one = |text: Placed<String>| match read(&text.value) {
            Ok(value) => Some(Placed { value, span: text.span }),
            Err(what) => {
                self.doubt_at(text.span, key, what);
                None
            }
        };
        Some(texts.into_iter().filter_map(one).collect())
    }

    /// One of several words.
    pub(super) fn choice<T: Clone>(&self, key: &'static str, words: &[(&str, T)]) -> Option<T> {
        self.parsed(key, |text| {
            words.iter().find(|(word, _)| *word == text).map(|(_, value)| value.clone()).ok_or_else(
                || {
                    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                    let near = nearest(text, all.iter().copied());
                    format!("{text:?} is none of {}{}", listed(&all), meant(near))
                },
            )
        })
    }

    /// A duration with its unit, such as `300s` or `5m`, within bounds.
    pub(super) fn duration(
        &self,
        key: &'static str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let value = self.ask(key)?;
        if value.get_ref().is_integer() {
            let number = self.doubts.text.get(value.span()).unwrap_or_default();
            let what = format!("{number} has no unit; write \"{number}s\" for seconds");
            self.doubt_at(value.span(), key, what);
            return None;
        }
        self.parsed(key, |text| {
            let read = humantime::parse_duration(text).map_err(|_| {
                format!("{text:?} is no duration; write a number and a unit: \"90s\", \"5m\"")
            })?;
            if bounds.contains(&read) {
                return Ok(read);
            }
            let (low, high) = (bounds.start(), bounds.end());
            let (low, high) = (humantime::format_duration(*low), humantime::format_duration(*high));
            Err(format!("{text:?} is not between {low} and {high}"))
        })
    }

    /// A whole number within bounds.
    pub(super) fn number(&self, key: &'static str, bounds: RangeInclusive<u32>) -> Option<u32> {
        let value = self.ask(key)?;
        self.whole(key, value, &bounds)
    }

    /// A list of whole numbers within bounds; entries that are none are noted, and empty here.
    pub(super) fn numbers(
        &self,
        key: &'static str,
        bounds: RangeInclusive<u32>,
    ) -> Option<Vec<Option<u32>>> {
        let value = self.ask(key)?;
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, "a list: [1, 2]");
            return None;
        };
        Some(array.iter().map(|entry| self.whole(key, entry, &bounds)).collect())
    }

    fn whole(
        &self,
        key: &'static str,
        value: &Spanned<DeValue<'t>>,
        bounds: &RangeInclusive<u32>,
    ) -> Option<u32> {
        let (low, high) = (bounds.start(), bounds.end());
        let Some(number) = value.get_ref().as_integer() else {
            self.wrong_type(key, value, &format!("a number from {low} to {high}"));
            return None;
        };
        let read = i64::from_str_radix(number.as_str(), number.radix()).ok();
        let fits = read.and_then(|n| u32::try_from(n).ok()).filter(|n| bounds.contains(n));
        if fits.is_none() {
            let what = format!("{} is not between {low} and {high}", number.as_str());
            self.doubt_at(value.span(), key, what);
        }
        fits
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        let value = self.ask(key)?;
        let read = value.get_ref().as_bool();
        if read.is_none() {
            self.wrong_type(key, value, "true or false");
        }
        read
    }

    /// The table of this name; an empty one if it is not there.
    pub(super) fn table(&self, key: &'static str) -> Table<'d, 't> {
        let value = self.ask(key);
        let entries = value.and_then(|v| v.get_ref().as_table());
        if let (Some(value), None) = (value, entries) {
            self.wrong_type(key, value, &format!("a table: [{}]", self.name(key)));
        }
        let span = value.map_or_else(|| self.span(), Spanned::span);
        Table::new(self.doubts, entries, span, self.name(key))
    }

    /// Whether the key is there.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether the key is there and holds an empty list.
    pub(super) fn is_empty_list(&self, key: &str) -> bool {
        self.get(key).and_then(|v| v.get_ref().as_array()).is_some_and(|list| list.is_empty())
    }

    /// The tables of a repeated name, in order.
    pub(super) fn tables(&self, key: &'static str) -> Vec<Table<'d, 't>> {
        let Some(value) = self.ask(key) else { return Vec::new() };
        let wanted = format!("each one as [[{}]]", self.name(key));
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &wanted);
            return Vec::new();
        };
        let mut list = Vec::new();
        for entry in array.iter() {
            match entry.get_ref().as_table() {
                Some(entries) => {
                    list.push(Table::new(self.doubts, Some(entries), entry.span(), self.name(key)))
                }
                None => self.wrong_type(key, entry, &wanted),
            }
        }
        list
    }

    /// Notes every key that nobody asked for, with the nearest one that is known.
    pub(super) fn close(self) {
        let asked = self.asked.borrow();
        for (key, _) in self.entries.into_iter().flatten() {
            let name: &str = key.get_ref();
            if !asked.contains(&name) {
                let near = nearest(name, asked.iter().copied());
                self.doubt_at(key.span(), name, format!("unknown key{}", meant(near)));
            }
        }
    }
}

/// What a value is, in words.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// How much one word is like another: letters in common near the start, or few slips of a finger.
fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b).max(strsim::normalized_damerau_levenshtein(a, b) + 0.1)
}

/// The word that is most like this one, if any is like it at all.
pub(super) fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let rated = words.into_iter().map(|w| (likeness(word, w), w));
    let best = rated.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

/// `; did you mean …?`, or nothing.
pub(super) fn meant(near: Option<&str>) -> String {
    near.map(|word| format!("; did you mean {word}?")).unwrap_or_default()
}

/// Words in a row: `a, b or c`.
pub(super) fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
