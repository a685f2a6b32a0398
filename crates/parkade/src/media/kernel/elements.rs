//! Ways as elements of the two maps.

use crate::media::kernel::keys::{Bytes, Family};
use crate::media::kernel::table::{Element, Map};
use crate::media::kernel::way::Way;

/// Its key in the first map.
pub(super) fn to_key(way: &Way) -> Bytes {
    Bytes::pair(way.from, way.at)
}

/// Its key in the second.
pub(super) fn by_key(way: &Way) -> Bytes {
    Bytes::pair(way.from, way.to)
}

/// Its element of the first map, with what is found there or without.
pub(super) fn to_element(way: &Way, valued: bool) -> Element {
    let value = valued.then(|| Bytes::socket(way.to));
    Element { map: Map::To, family: Family::of(way.from), key: to_key(way), value }
}

/// Its element of the second.
pub(super) fn by_element(way: &Way, valued: bool) -> Element {
    let value = valued.then(|| Bytes::socket(way.by));
    Element { map: Map::By, family: Family::of(way.from), key: by_key(way), value }
}

/// All elements of ways, with what is found there.
pub(super) fn elements<'w>(ways: impl Iterator<Item = &'w Way>) -> Vec<Element> {
    let mut all: Vec<_> = ways.flat_map(|w| [to_element(w, true), by_element(w, true)]).collect();
    put_in_order(&mut all);
    all
}

/// Elements of one map and version go in one message.
pub(super) fn put_in_order(elements: &mut [Element]) {
    elements.sort_by_key(|element| (element.map as u8, element.family as u8));
}
