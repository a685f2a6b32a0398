//! What is seen of the lots at one moment: the same for all who watch the same, and written the same
//! for all phones of one kind.

use dialects::{Body, DialogStyle, ParkedDialog, WrittenDialogs};

use crate::house::House;
use crate::keys::ParkedKey;
use crate::lamps;
use crate::watches::state::Watch;
use crate::watches::watched::{Watched, calls_of, dialog_of};

/// What those who watch one thing see.
#[derive(Debug)]
pub(super) struct View {
    watched: Watched,
    calls: Vec<ParkedKey>,
    /// By which ids the calls are told.
    pub(super) ids: Vec<Box<str>>,
    written: Option<Written>,
}

/// What was written last.
#[derive(Debug)]
struct Written {
    style: DialogStyle,
    gone: Vec<Box<str>>,
    dialogs: WrittenDialogs,
}

impl View {
    pub(super) fn of(house: &House, watched: &Watched) -> View {
        let calls = calls_of(house, watched);
        let id_of = |key: &ParkedKey| Some(house.lots.get(*key)?.watch_id.clone());
        let ids = calls.iter().filter_map(id_of).collect();
        View { watched: watched.clone(), calls, ids, written: None }
    }

    pub(super) fn is_of(&self, watched: &Watched) -> bool {
        self.watched == *watched
    }

    /// What one of the subscribers is told, whose phone has lamps of that style.
    pub(super) fn body(&mut self, house: &House, watch: &Watch, style: DialogStyle) -> Body {
        if let Watched::Line(line) = &watch.watched {
            let notice = lamps::park_notice(house, watch.binding(), line, &self.calls, None);
            return house.templates.callpark_info(&notice);
        }
        let told = watch.told.as_deref().unwrap_or_default();
        let gone = || told.iter().filter(|id| !self.ids.contains(id));
        let same = |written: &Written| written.style == style && gone().eq(&written.gone);
        let written = self.written.take().filter(same).unwrap_or_else(|| {
            let calls = self.calls.iter().filter_map(|key| house.lots.get(*key));
            let dialogs: Vec<ParkedDialog> = calls.map(dialog_of).collect();
            let ended: Vec<&str> = gone().map(AsRef::as_ref).collect();
            let dialogs = style.write(&dialogs, &ended);
            Written { style, gone: gone().cloned().collect(), dialogs }
        });
        let written = self.written.insert(written);
        written.dialogs.full(&watch.entity, u64::from(watch.version))
    }
}
